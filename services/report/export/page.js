const charts = JSON.parse(document.getElementById("specs").textContent);
const darkness = matchMedia("(prefers-color-scheme: dark)");
const options = { mode: "vega-lite", ast: true, actions: false, defaultStyle: false, renderer: "svg" };
let views = [];

async function draw() {
  const look = darkness.matches ? "dark" : "light";
  const tooltip = { theme: look, disableDefaultStyle: true };
  views.forEach((view) => view.finalize());
  views = [];
  for (const chart of charts) {
    const spec = { ...chart[look], datasets: structuredClone(chart.datasets) };
    views.push(await vegaEmbed("#chart-" + chart.name, spec, { ...options, tooltip }));
    await new Promise((painted) => setTimeout(painted)); // what is in sight first
  }
  performance.mark("drawn");
}

let drawing = draw();
darkness.addEventListener("change", () => {
  drawing = drawing.then(draw);
});
