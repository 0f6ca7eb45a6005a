"""How the page looks (light and dark) and the few lines of script behind its charts."""

STYLE = """
:root { --ink:#1d2129; --soft:#5d6673; --paper:#fff; --card:#f5f6f8; --line:#dfe3e8; --blue:#0072B2; --orange:#C77700; --green:#008060;
 --purple:#A3467A; --red:#C4420C; --grey:#8A8A8A; --night:#20242c; --glow:#ffb43b; }
@media (prefers-color-scheme: dark) { :root { --ink:#e8eaee; --soft:#a2abb8; --paper:#14171c; --card:#1e2229; --line:#343a44;
 --blue:#56B4E9; --orange:#F0B040; --green:#3ccf9f; --purple:#e29bc3; --red:#ff8a5c; --night:#000; } }
* { box-sizing:border-box } body { margin:0; background:var(--paper); color:var(--ink); font:16px/1.5 system-ui,sans-serif }
main { max-width:980px; margin:0 auto; padding:2rem 1.2rem 4rem } h1 { margin:0; font-size:1.7rem }
 h2 { margin:2.4rem 0 .3rem; font-size:1.2rem }
p { margin:.3rem 0 .7rem } .soft,.why { color:var(--soft) } .why { max-width:75ch }
.facts { display:grid; grid-template-columns:repeat(auto-fit,minmax(150px,1fr)); gap:.6rem; margin:1rem 0 }
 .facts div { background:var(--card); border-radius:8px; padding:.5rem .9rem }
.facts b { display:block; font-size:1.25rem } .facts span { color:var(--soft); font-size:.85rem }
.verdict { border-left:6px solid var(--green); background:var(--card); border-radius:6px; padding:.8rem 1.1rem; margin:1.2rem 0 }
.verdict.wait { border-color:var(--blue) } .verdict.trouble { border-color:var(--red) } .verdict h2 { margin:0 }
.cause { margin:.7rem 0 0; padding-top:.6rem; border-top:1px solid var(--line) } .cause code { font-weight:700; color:var(--red) }
figure { margin:.4rem 0 0 } svg { width:100%; height:auto; display:block } text { font:12px system-ui,sans-serif; fill:var(--soft) }
.grid { stroke:var(--line); fill:none } .line { fill:none; stroke-width:2.2; stroke-linejoin:round }
 .line.faint { stroke-width:1; opacity:.35 }
.line.dashed { stroke-dasharray:6 5; stroke-width:1.8 } .mark { fill:none; stroke-width:1.5; stroke-dasharray:5 4 }
 .cursor { stroke:var(--grey); fill:none }
path.blue { stroke:var(--blue) } path.orange { stroke:var(--orange) } path.green { stroke:var(--green) }
 path.purple { stroke:var(--purple) }
path.red { stroke:var(--red) } path.grey { stroke:var(--grey) } circle.blue,text.blue { fill:var(--blue) }
 circle.orange,text.orange { fill:var(--orange) }
circle.green,text.green { fill:var(--green) } circle.purple { fill:var(--purple) } circle.red,text.red { fill:var(--red) }
 text.grey { fill:var(--grey) }
figcaption { display:flex; flex-wrap:wrap; gap:.2rem 1.2rem; font-size:.88rem; color:var(--soft); padding-left:4rem; min-height:3.2em;
 align-content:start }
figcaption i { display:inline-block; width:1.5em; border-top:3px solid; margin-right:.4em; vertical-align:middle }
 i.dashed { border-top-style:dashed }
i.faint { opacity:.35 } i.blue { color:var(--blue) } i.orange { color:var(--orange) } i.green { color:var(--green) }
 i.purple { color:var(--purple) }
i.red { color:var(--red) } i.grey { color:var(--grey) } output { flex-basis:100%; color:var(--ink); font-variant-numeric:tabular-nums }
table { border-collapse:collapse; width:100%; font-size:.92rem; margin-top:.5rem }
 th { text-align:left; color:var(--soft); font-weight:600 }
th,td { padding:.25rem .6rem .25rem 0; border-bottom:1px solid var(--line); vertical-align:top }
 td.n { white-space:nowrap; font-variant-numeric:tabular-nums }
.said { font-family:ui-monospace,monospace; white-space:pre-wrap } .right { color:var(--green) } .wrong { color:var(--red) }
 .gone { color:var(--red); text-decoration:line-through }
.frames { fill:var(--night) } .symbol { fill:var(--glow) }
 text.spike { fill:#000; font-weight:700; paint-order:stroke; stroke:var(--glow); stroke-width:2.5px }
 details { margin-top:.6rem } summary { cursor:pointer }
@media (prefers-color-scheme: dark) { .frames { fill:#2a303a } }
"""

SCRIPT = """
for (const figure of document.querySelectorAll('.chart')) {
  const data = JSON.parse(figure.dataset.curves), svg = figure.querySelector('svg'), out = figure.querySelector('output');
  const cursor = svg.querySelector('.cursor'), box = svg.viewBox.baseVal;
  const show = v => Math.abs(v) >= 1e5 || (v && Math.abs(v) < 1e-3) ? v.toExponential(1) : +v.toPrecision(4);
  svg.addEventListener('pointermove', event => {
    const x = (event.clientX - svg.getBoundingClientRect().left) * box.width / svg.clientWidth;
    const step = (x - data.left) / (data.right - data.left) * data.last;
    if (step < 0 || step > data.last) return;
    cursor.setAttribute('d', `M${x} 14V${box.height - 30}`);
    out.textContent = `step ${Math.round(step)}:  ` + data.curves.map(c => {
      const near = c.points.reduce((a, b) => Math.abs(b[0] - step) < Math.abs(a[0] - step) ? b : a);
      return `${c.label} ${show(near[1])}${data.unit && ' ' + data.unit}`; }).join('   ');
  });
  svg.addEventListener('pointerleave', () => { cursor.setAttribute('d', ''); out.textContent = ''; });
}
"""
