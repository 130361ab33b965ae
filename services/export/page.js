const charts = JSON.parse(document.getElementById("specs").textContent);
const darkness = matchMedia("(prefers-color-scheme: dark)");
const options = { mode: "vega-lite", ast: true, actions: false, renderer: "svg" };
let views = [];

async function draw() {
  const look = darkness.matches ? "dark" : "light";
  views.forEach((view) => view.finalize());
  views = await Promise.all(
    charts.map((chart) => {
      const spec = { ...chart[look], datasets: structuredClone(chart.datasets) };
      return vegaEmbed("#chart-" + chart.name, spec, { ...options, tooltip: { theme: look } });
    }),
  );
}

let drawing = draw();
darkness.addEventListener("change", () => {
  drawing = drawing.then(draw);
});
