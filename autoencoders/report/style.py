"""How the pages look: one column, light or dark as the reader's system is, also in print."""

STYLE = """
:root { color-scheme: light dark; --back: #fff; --card: #f5f6f8; --text: #1b1f24; --soft: #57606a;
  --edge: #d0d7de; --accent: #0b5cad; --warn: #8a4b00; --warnback: #fff4e0;
  --c0: #0072b2; --c1: #b84a00; --c2: #00795a; --c3: #a5447f; --c4: #8a6100; --c5: #2a78b8;
  --c6: #1b1f24; --c7: #7a5cc4; }
@media (prefers-color-scheme: dark) { :root { --back: #0f1318; --card: #181e25; --text: #e6e9ec;
  --soft: #a3adb8; --edge: #36404b; --accent: #7cb8f2; --warn: #ffc878; --warnback: #2c2313;
  --c0: #56b4e9; --c1: #ff8f4d; --c2: #2fc79d; --c3: #e592c2; --c4: #e6b84a; --c5: #8fc7f5;
  --c6: #e6e9ec; --c7: #b7a1f5; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 62rem; background: var(--back);
  color: var(--text); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: .2rem 0 .4rem; }
h2 { font-size: 1.2rem; margin: 2.4rem 0 .6rem; padding-top: .4rem;
  border-top: 1px solid var(--edge); }
h3 { font-size: 1rem; margin: 1.2rem 0 .3rem; }
p { margin: .4rem 0 .8rem; max-width: 44rem; } a { color: var(--accent); }
.soft { color: var(--soft); font-size: .9rem; } code, pre { font: .88em/1.5 ui-monospace,
  "SF Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; }
pre { background: var(--card); border: 1px solid var(--edge); border-radius: 6px; padding: .7rem;
  white-space: pre-wrap; margin: .4rem 0; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .7rem;
  margin: 1.1rem 0; padding: 0; list-style: none; }
.tiles li { background: var(--card); border: 1px solid var(--edge); border-radius: 8px;
  padding: .6rem .8rem; } .tiles b { display: block; font-size: 1.5rem; line-height: 1.3; }
.tiles span { color: var(--soft); font-size: .85rem; }
.warn { background: var(--warnback); border-left: 4px solid var(--warn); padding: .55rem .8rem;
  margin: .5rem 0; border-radius: 0 6px 6px 0; max-width: none; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; } .scroll:focus-visible, summary:focus-visible,
button:focus-visible, input:focus-visible { outline: 3px solid var(--accent);
  outline-offset: 2px; }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .32rem .7rem .32rem 0; border-bottom: 1px solid var(--edge);
  vertical-align: top; } th { color: var(--soft); font-weight: 600; }
tbody th { color: var(--text); } td.number, th.number { text-align: right; white-space: nowrap; }
tr.ours th, tr.ours td { font-weight: 650; } td small { display: block; color: var(--soft); }
th button { all: unset; cursor: pointer; } th[aria-sort] button::after { content: " \\2195"; }
th[aria-sort=ascending] button::after { content: " \\2191"; }
th[aria-sort=descending] button::after { content: " \\2193"; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 25rem), 1fr));
  gap: 1rem 1.6rem; } figure { margin: .6rem 0; } figcaption { color: var(--soft);
  font-size: .9rem; }
img.figure { max-width: 100%; height: auto; }
svg.chart { width: 100%; height: auto; display: block; } svg text { fill: var(--text);
  font-size: 12.5px; font-family: inherit; } svg .grid { stroke: var(--edge); stroke-width: 1; }
svg .marked { stroke: var(--soft); stroke-width: 1.5; stroke-dasharray: 4 4; }
svg .c0 { stroke: var(--c0); fill: var(--c0); } svg .c1 { stroke: var(--c1); fill: var(--c1); }
svg .c2 { stroke: var(--c2); fill: var(--c2); } svg .c3 { stroke: var(--c3); fill: var(--c3); }
svg .c4 { stroke: var(--c4); fill: var(--c4); } svg .c5 { stroke: var(--c5); fill: var(--c5); }
svg .c6 { stroke: var(--c6); fill: var(--c6); } svg .c7 { stroke: var(--c7); fill: var(--c7); }
svg .line { fill: none; stroke-width: 2.2; stroke-linejoin: round; }
svg .band { opacity: .16; stroke: none; }
.legend { display: flex; flex-wrap: wrap; gap: .1rem 1.1rem; list-style: none; padding: 0;
  margin: .3rem 0; font-size: .88rem; } .legend svg { width: 26px; height: 8px;
  margin-right: .4rem; vertical-align: middle; }
.legend li { overflow-wrap: anywhere; }
svg.lineage { display: block; } svg.lineage path { fill: none; stroke: var(--soft);
  stroke-width: 1.1; opacity: .6; } svg.lineage rect { fill: var(--card); stroke: var(--edge); }
.controls { display: flex; flex-wrap: wrap; align-items: center; gap: .4rem .9rem;
  margin: .6rem 0; } input[type=range] { flex: 1 1 12rem; max-width: 26rem; min-height: 2rem;
  accent-color: var(--accent); }
.rows { display: grid; grid-template-columns: minmax(4.5rem, auto) minmax(0, 1fr);
  gap: .15rem .7rem; align-items: center; margin: .4rem 0; } .rows > * { min-width: 0; }
.rows .name { font-size: .88rem; overflow-wrap: anywhere; } .rows small { color: var(--soft);
  display: block; }
.labels { display: grid; grid-auto-columns: minmax(0, 1fr); grid-auto-flow: column;
  text-align: center; font-size: .78rem; color: var(--soft); } .labels span { overflow: hidden;
  text-overflow: ellipsis; white-space: nowrap; }
.rows img, .triple img { width: 100%; height: auto; display: block; image-rendering: pixelated; }
.triples { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 17rem), 1fr));
  gap: 1rem; } .triple { background: var(--card); border: 1px solid var(--edge);
  border-radius: 8px; padding: .7rem; margin: 0; }
details { border: 1px solid var(--edge); border-radius: 8px; padding: .5rem .8rem;
  margin: .6rem 0; } summary { cursor: pointer; font-weight: 600; }
@media (max-width: 40rem) { td, th { padding-right: .5rem; } tr.ours td, tr.ours th, td, th {
    min-width: 4.5rem; } .tiles b { font-size: 1.25rem; } .charts { gap: .4rem; }
  svg.chart text { font-size: 19px; } }
@media print { :root { --back: #fff; --card: #fff; --text: #000; --soft: #333; --edge: #999;
    --warn: #000; --warnback: #fff; --accent: #000; --c0: #0072b2; --c1: #b84a00; --c2: #00795a;
    --c3: #a5447f; --c4: #8a6100; --c5: #2a78b8; --c6: #000; --c7: #7a5cc4; }
  body { max-width: none; padding: 0; font-size: 10.5pt; } .controls { display: none; }
  figure, .tiles, .triple, tr, .rows { break-inside: avoid; } h2 { break-after: avoid; }
  .charts { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .scroll { overflow: visible; } svg.lineage { width: 100%; height: auto; }
  table { font-size: 8.5pt; } details table { font-size: 7pt; } details th, details td {
    padding-right: .3rem; } th[aria-sort] button::after { content: "" !important; } }
""".strip()
SCRIPT = """
"use strict";
for (const slider of document.querySelectorAll("input[data-levels]")) {
  const levels = document.querySelectorAll("#" + slider.dataset.levels + " > [data-level]");
  const output = document.querySelector("output[for=" + slider.id + "]");
  const show = () => levels.forEach((level, number) => {
    level.hidden = number !== Number(slider.value);
    if (!level.hidden) {
      output.value = level.dataset.level;
      slider.setAttribute("aria-valuetext", level.dataset.level);
    }
  });
  slider.addEventListener("input", show);
  show();
  slider.closest(".controls").hidden = false;
}
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    head.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") === "descending";
      heads.forEach(one => one.setAttribute("aria-sort", "none"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const value = row => row.cells[column].dataset.value ?? row.cells[column].textContent;
      const compare = (a, b) => a === "" || b === "" ? (a === "") - (b === "")
        : (isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b) * (up ? 1 : -1);
      const body = table.tBodies[0];
      body.append(...[...body.rows].sort((a, b) => compare(value(a), value(b))));
    });
  });
}
addEventListener("beforeprint", () =>
  document.querySelectorAll("details").forEach(one => { one.open = true; }));
""".strip()
"""Moves the slider over noise levels and sorts tables; the page reads well without it."""
