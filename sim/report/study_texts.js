// Texts of a study's page; those that every page has are in texts.js. What a study says itself comes with its blocks.

const STUDY_TEXTS = {
  en: {
    skip: "Skip to the verdict",
    overline: "Study report",
    "nav.outline": "On this page",
    "outline.title": "On this page",
    "stamp.seeds": "Seeds",
    "seeds.count": (t) => `${t.count}: ${t.first} to ${t.last}`,
    "prov.seeds": "Seeds",
    "verdict.good": "as hoped", "verdict.bad": "not as hoped", "verdict.open": "open",
    "verdict.confidence": (share) => `confidence ${share}`,
    "verdict.plain": "without a confidence",
    "form.hours": (hours) => `${hours}\u00a0h`,
    "form.times": (factor) => `×\u00a0${factor}`,
    "block.empty": "There is nothing to show.",
  },
  zh: {
    skip: "跳到结论",
    overline: "研究报告",
    "nav.outline": "本页内容",
    "outline.title": "本页内容",
    "stamp.seeds": "随机种子",
    "seeds.count": (t) => `${t.count} 个：${t.first} 至 ${t.last}`,
    "prov.seeds": "随机种子",
    "verdict.good": "符合期望", "verdict.bad": "不符合期望", "verdict.open": "尚无定论",
    "verdict.confidence": (share) => `置信度 ${share}`,
    "verdict.plain": "未作置信度估计",
    "form.hours": (hours) => `${hours}\u00a0小时`,
    "form.times": (factor) => `×\u00a0${factor}`,
    "block.empty": "没有可显示的内容。",
  },
};
for (const language of Object.keys(TEXTS)) Object.assign(TEXTS[language], STUDY_TEXTS[language]);
