# What control does to stations and to chunks under way, before anything of the instant happens.
from libc.stdint cimport int32_t, int64_t, uint16_t

from router_core.engine.fifo cimport fifo_plan, fifo_revoke, fifo_set_servers, fifo_stop
from router_core.engine.moves cimport fail, pick
from router_core.engine.priority cimport priority_stop, wake_at
from router_core.engine.sharing cimport share_set_rate, share_set_servers, share_stop
from router_core.engine.state cimport *
from router_core.engine.wheel cimport Node, wheel_remove


cdef inline void set_service(State *e, int32_t number, int64_t fixed_ns, int32_t ps_per_byte) noexcept nogil:
    cdef Station *station = &e.stations[number]
    if station.discipline == SHARING:
        station.fixed_ns = fixed_ns
        share_set_rate(e, station, number, ps_per_byte, e.now_ns)
    elif station.discipline == PRIORITY:
        station.fixed_ns = fixed_ns
        station.ps_per_byte = ps_per_byte
    elif station.fixed_ns != fixed_ns or station.ps_per_byte != ps_per_byte:
        fifo_revoke(e, station, e.now_ns)
        station.fixed_ns = fixed_ns
        station.ps_per_byte = ps_per_byte
        fifo_plan(e, station, number, e.now_ns)


cdef inline void set_servers(State *e, int32_t number, int32_t servers) noexcept nogil:
    cdef Station *station = &e.stations[number]
    if station.more.servers == servers:
        return
    if station.discipline == FIFO:
        fifo_set_servers(e, station, number, servers, e.now_ns)
    elif station.discipline == SHARING:
        share_set_servers(e, station, number, servers, e.now_ns)
    else:
        station.more.servers = servers
        if station.more.queue.waiting:
            wake_at(e, station, number, e.now_ns)


cdef inline void start_station(State *e, int32_t number) noexcept nogil:
    cdef Station *station = &e.stations[number]
    station.more.stopped = 0
    station.plain = station.discipline == FIFO and not station.more.buffered


cdef inline void mark_stop(State *e, int32_t number) noexcept nogil:
    # To be stopped together with others.
    if not e.stations[number].more.stopped:
        e.stations[number].more.stopped = STOPS_NOW


cdef inline bint is_on_station(State *e, Node *chunk, int32_t number) noexcept nogil:
    # Whether it waits there or is in service; else it travels on, or is elsewhere.
    if chunk.state == MOVING:
        return chunk.due_ns - e.stations[number].after_ns >= e.now_ns
    return chunk.state == QUEUED or chunk.state == SHARED


cdef inline void stop_marked(State *e) noexcept nogil:
    # One look at all chunks under way finds those on any station that stops. What their failing makes happen comes behind
    # them, or in free places, and has no route.
    cdef int32_t index, number
    cdef Node *chunk
    cdef Station *station
    cdef bint any_stops = False
    for number in range(e.station_count):
        any_stops |= e.stations[number].more.stopped == STOPS_NOW
    if not any_stops:
        return
    for index in range(e.wheel.nodes_used):
        chunk = &e.wheel.nodes[index]
        if not has_route(chunk):
            continue
        number = e.arena[chunk.route + chunk.hop]
        if e.stations[number].more.stopped != STOPS_NOW or not is_on_station(e, chunk, number):
            continue
        if chunk.state == MOVING:
            wheel_remove(&e.wheel, index)
        e.stations[number].more.failed += 1
        fail(e, index, number)
    for number in range(e.station_count):
        station = &e.stations[number]
        if station.more.stopped == STOPS_NOW:
            station.more.stopped = 1
            station.plain = 0
            if station.discipline == FIFO:
                fifo_stop(station, e.now_ns)
            elif station.discipline == PRIORITY:
                priority_stop(station, e.now_ns)
            else:
                share_stop(station, e.now_ns)


cdef inline void reroute_chunk(State *e, Node *chunk) noexcept nogil:
    # Go over to the new way where it passes the station of the last arrival, after as many processing stations.
    cdef Pair *pair = &e.pairs[chunk.pair]
    cdef int32_t passed = 0
    cdef int32_t hop, place
    if pair.ways == 0:
        return
    for hop in range(chunk.hop + 1):
        passed += e.stations[e.arena[chunk.route + hop]].more.processes
    place = pick(e, pair, number_of(chunk), chunk.failures)
    hop = 0
    while e.arena[place + hop] != NONE:
        passed -= e.stations[e.arena[place + hop]].more.processes
        if e.arena[place + hop] == e.arena[chunk.route + chunk.hop] and passed == 0:
            chunk.route = place
            chunk.hop = <uint16_t> hop
            if chunk.state == MOVING:
                chunk.next = e.arena[place + hop + 1]
            return
        hop += 1
