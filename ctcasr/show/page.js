// Curves tell their values under the pointer or the arrow keys, and hand their numbers over.
const shortNumber = value =>
  Math.abs(value) >= 1e5 || (value && Math.abs(value) < 1e-3) ? value.toExponential(1) : String(+value.toPrecision(4));

const nearest = (points, step) =>
  points.reduce((best, point) => Math.abs(point[0] - step) < Math.abs(best[0] - step) ? point : best);

function numbersOf(chart) {
  const lines = [["curve", "step", "value"].join("\t")];
  for (const curve of chart.curves) {
    for (const [step, value] of curve.points) lines.push([curve.label, step, value].join("\t"));
  }
  return lines.join("\n");
}

for (const figure of document.querySelectorAll("figure[data-chart]")) {
  const chart = JSON.parse(figure.dataset.chart);
  const svg = figure.querySelector("svg"), tip = figure.querySelector("output");
  const cursor = svg.querySelector(".cursor"), box = svg.viewBox.baseVal;
  const steps = [...new Set(chart.curves.flatMap(curve => curve.points.map(point => point[0])))].sort((a, b) => a - b);
  let position = -1;  // index of the step that the keys have reached

  const clear = () => { cursor.setAttribute("d", ""); tip.textContent = ""; position = -1; };
  const show = step => {
    const x = chart.left + (chart.right - chart.left) * step / chart.last;
    const pixels = x * svg.clientWidth / box.width;
    cursor.setAttribute("d", `M${x} 14V${box.height - 30}`);
    const values = chart.curves.map(curve =>
      `${curve.label}  ${shortNumber(nearest(curve.points, step)[1])}${chart.unit && " " + chart.unit}`);
    tip.textContent = [`step ${Math.round(step)}`, ...values].join("\n");
    const left = pixels < svg.clientWidth / 2 ? pixels + 12 : pixels - tip.offsetWidth - 12;
    tip.style.left = `${Math.max(0, Math.min(left, svg.clientWidth - tip.offsetWidth))}px`;
  };
  const point = event => {
    const x = (event.clientX - svg.getBoundingClientRect().left) * box.width / svg.clientWidth;
    const step = (x - chart.left) / (chart.right - chart.left) * chart.last;
    if (step >= 0 && step <= chart.last) show(step);
  };
  svg.addEventListener("pointermove", point);
  svg.addEventListener("pointerdown", point);
  svg.addEventListener("pointerleave", event => { if (event.pointerType === "mouse") clear(); });
  figure.addEventListener("blur", clear);
  figure.addEventListener("keydown", event => {
    if (event.target !== figure) return;
    const moves = { ArrowRight: 1, ArrowLeft: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };
    if (event.key === "Escape") clear();
    if (!(event.key in moves)) return;
    event.preventDefault();
    position = Math.max(0, Math.min(steps.length - 1, position + moves[event.key]));
    show(steps[position]);
  });

  const details = figure.querySelector(".numbers"), text = details.querySelector("pre");
  details.addEventListener("toggle", () => { if (!text.textContent) text.textContent = numbersOf(chart); });
  details.querySelector("button").addEventListener("click", async event => {
    try {
      await navigator.clipboard.writeText(text.textContent);
      event.target.textContent = "copied";
    } catch {
      getSelection().selectAllChildren(text);
      event.target.textContent = "selected";
    }
  });
}
