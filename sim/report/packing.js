// Tables of bytes as packing.py packs them: rows of differences, deflated, in base64. Unpacked when they are wanted, once.

const unpackings = new Map();
function unpack(packed, columns) {
  if (!unpackings.has(packed)) unpackings.set(packed, inflated(packed).then((table) => summed(table, columns)));
  return unpackings.get(packed);
}
async function inflated(packed) {
  const bytesOf = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytesOf]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
function summed(table, columns) {
  for (let at = 0; at < table.length; at += 1) if (at % columns) table[at] += table[at - 1];
  return table;
}
const STEPS_PER_DOUBLING = 12;
const OF_DOUBLINGS = Array.from({ length: 256 }, (_, value) => Math.round(2 ** (value / STEPS_PER_DOUBLING) - 1));
function countOfDoublings(value) { return OF_DOUBLINGS[value]; }
function doublingsOf(amount) { return Math.round(STEPS_PER_DOUBLING * Math.log2(1 + amount)); }
