// Draws the chart that stands in the page as JSON, in the page's colours, and again when these change.
const declared = JSON.parse(document.getElementById("gantt-chart").textContent);
const place = document.getElementById("gantt");
const darkness = window.matchMedia("(prefers-color-scheme: dark)");

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function draw() {
  const ink = colour("--ink"), line = colour("--line");
  const words = { labelColor: ink, titleColor: ink };
  return vegaEmbed(place, declared, {
    mode: "vega-lite",
    renderer: "canvas",
    actions: false,
    ast: true,            // expressions are interpreted: the page's policy forbids to make code of text
    defaultStyle: false,
    tooltip: { disableDefaultStyle: true },
    config: {
      background: "transparent",
      font: "system-ui, sans-serif",
      view: { stroke: line },
      axis: { ...words, domainColor: line, tickColor: line, gridColor: line },
      legend: words,
    },
  });
}

async function show() {
  await draw();
  place.dataset.drawn = darkness.matches ? "dark" : "light";
}

darkness.addEventListener("change", show);
show();
