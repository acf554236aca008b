// What the pages need beyond HTML: charts, the pause of the live contents, announcements, copying.
// Sets no style attribute and builds no code from text, so that the page's policy can stay strict.
"use strict";
(() => {
  const DASHES = [[], [8, 3], [2, 3], [10, 3, 2, 3], [5, 5]];
  const HEIGHT = 220;
  const ANNOUNCE_MS = 10_000;
  const charts = new Map();
  const byId = (id) => document.getElementById(id);
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // --- charts ------------------------------------------------------------------------------
  function columns(chart) {
    const data = [chart.times];
    for (const line of chart.lines) {
      data.push(line.values);
      if (line.low.length) data.push(line.high, line.low);
    }
    return data;
  }

  function shape(chart) {
    return JSON.stringify([chart.unit, chart.lines.map((line) => [line.label, line.tone, line.low.length > 0])]);
  }

  function options(chart, width, holder) {
    const series = [{}];
    const bands = [];
    for (const line of chart.lines) {
      const stroke = color(`--tone-${line.tone}`);
      series.push({ label: line.label, stroke, width: 2, dash: DASHES[line.tone], points: { show: true, size: 5, filter: (plot, at) => isolated(plot.data[at]) } });
      if (line.low.length) {
        const at = series.length;
        const edge = { stroke: stroke + "55", width: 1, points: { show: false } };
        series.push({ ...edge }, { ...edge });
        bands.push({ series: [at, at + 1], fill: stroke + "22" });
      }
    }
    const axis = { stroke: color("--muted"), grid: { stroke: color("--line"), width: 1 }, ticks: { stroke: color("--line"), width: 1 }, font: "12px system-ui, sans-serif" };
    return {
      width,
      height: HEIGHT,
      series,
      bands,
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, points: { size: 6 } },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "UTC"),
      scales: { x: { range: (_, low, high) => (low === high ? [low - 60, high + 60] : [low, high]) }, y: { range: (_, low, high) => limits(chart, low, high) } },
      axes: [{ ...axis, values: (plot, ticks, _, __, step) => timeLabels(plot, ticks, step) }, { ...axis, size: 62, values: (_, ticks) => ticks.map((one) => one.toLocaleString("en")) }],
      hooks: { draw: [(plot) => drawMarks(plot, holder.marks)], setCursor: [(plot) => showValues(plot, holder)] },
    };
  }

  // Values without neighbours, which no line would show.
  function isolated(values) {
    const missing = (i) => values[i] === null || values[i] === undefined;
    return values.flatMap((_, i) => (!missing(i) && missing(i - 1) && missing(i + 1) ? [i] : []));
  }

  function limits(chart, low, high) {
    if (low === null || high === null) return [0, 1];
    const from = chart.from_zero ? Math.min(0, low) : low;
    const room = (high - from || Math.abs(high) || 1) * 0.08;
    return [chart.from_zero ? from : from - room, high + room];
  }

  // 24 hours, UTC; with the date only where the chart spans more than a day.
  function timeLabels(plot, ticks, step) {
    const isLong = plot.scales.x.max - plot.scales.x.min > 86_400;
    return ticks.map((at) => {
      const text = new Date(at * 1000).toISOString();
      const clock = text.slice(11, step < 60 ? 19 : 16);
      if (step >= 86_400) return text.slice(5, 10);
      return isLong ? `${text.slice(5, 10)}\n${clock}` : clock;
    });
  }

  function drawMarks(plot, marks) {
    const { ctx } = plot;
    const size = 5 * devicePixelRatio;
    ctx.save();
    ctx.fillStyle = color("--tone-3");
    for (const mark of marks) {
      const x = plot.valToPos(mark.at, "x", true);
      if (x < plot.bbox.left || x > plot.bbox.left + plot.bbox.width) continue;
      const y = plot.bbox.top + size * 1.6;
      ctx.beginPath();
      if (mark.shape === "circle") ctx.arc(x, y, size * 0.7, 0, 2 * Math.PI);
      else {
        const way = mark.shape === "up" ? 1 : -1;
        ctx.moveTo(x, y - way * size);
        ctx.lineTo(x + size, y + way * size);
        ctx.lineTo(x - size, y + way * size);
        ctx.closePath();
      }
      ctx.fill();
    }
    ctx.restore();
  }

  function showValues(plot, holder) {
    const at = plot.cursor.idx;
    const place = holder.caption;
    if (!place) return;
    if (at === null || at === undefined) {
      place.textContent = holder.unit;
      return;
    }
    const time = new Date(plot.data[0][at] * 1000).toISOString().slice(11, 19);
    const parts = holder.columns.map(([label, column]) => `${label} ${format(plot.data[column][at])}`);
    place.textContent = `${time}: ${parts.join(", ")} (${holder.unit})`;
  }

  const format = (value) => (value === null || value === undefined ? "–" : Number(value.toPrecision(4)).toLocaleString("en"));

  function draw(element) {
    const text = element.dataset.plot;
    const known = charts.get(element);
    if (!text || (known && known.text === text)) return;
    const chart = JSON.parse(text);
    if (known && known.shape === shape(chart)) {
      known.text = text;
      known.marks = chart.marks;
      known.plot.setData(columns(chart));
      return;
    }
    if (known) known.plot.destroy();
    const holder = { text, shape: shape(chart), marks: chart.marks, unit: chart.unit, columns: [], caption: element.closest("figure").querySelector("figcaption .muted") };
    let column = 1;
    for (const line of chart.lines) {
      holder.columns.push([line.label, column]);
      column += line.low.length ? 3 : 1;
    }
    holder.plot = new uPlot(options(chart, element.clientWidth, holder), columns(chart), element);
    charts.set(element, holder);
    sizes.observe(element);
  }

  const sizes = new ResizeObserver((entries) => {
    for (const { target, contentRect } of entries) {
      const holder = charts.get(target);
      if (holder && contentRect.width && Math.abs(contentRect.width - holder.plot.width) > 1) holder.plot.setSize({ width: Math.floor(contentRect.width), height: HEIGHT });
    }
  });

  function drawAll() {
    if (typeof uPlot === "undefined") return;
    for (const [element, holder] of charts) {
      if (element.isConnected) continue;
      holder.plot.destroy();
      sizes.unobserve(element);
      charts.delete(element);
    }
    document.querySelectorAll(".plot").forEach(draw);
  }

  function redrawAll() {
    for (const holder of charts.values()) holder.text = holder.shape = "";
    drawAll();
  }

  // --- live contents -----------------------------------------------------------------------
  let paused = false;
  let skipped = null;
  let announced = { at: 0, text: "" };

  function show(state, text) {
    const element = byId("feed-state");
    if (!element) return;
    element.dataset.state = state;
    element.textContent = text;
  }

  function afterUpdate() {
    const head = document.querySelector("#live .head");
    if (!paused) show("live", `live ${new Date().toISOString().slice(11, 19)}`);
    const text = head ? head.dataset.summary || "" : "";
    const now = Date.now();
    if (text && text !== announced.text && now - announced.at >= ANNOUNCE_MS) {
      if (announced.at) byId("announcer").textContent = text;
      announced = { at: now, text };
    }
    refresh();
  }

  function togglePause(button) {
    paused = !paused;
    button.setAttribute("aria-pressed", String(paused));
    button.textContent = paused ? "Resume" : "Pause";
    show(paused ? "paused" : "live", paused ? "paused" : "live");
    if (!paused && skipped) catchUp(skipped);
    skipped = null;
  }

  // Shows the newest contents that arrived during the pause.
  async function catchUp(text) {
    const live = byId("live");
    await htmx.swap({ text, target: live, sourceElement: live, swap: "innerMorph" });
    afterUpdate();
  }

  // --- copying -----------------------------------------------------------------------------
  async function copy(button) {
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(button.previousElementSibling);
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  }

  function refresh() {
    document.querySelectorAll(".copy[hidden]").forEach((button) => { button.hidden = false; });
    drawAll();
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.classList.contains("copy")) copy(button);
    if (button?.id === "pause") togglePause(button);
  });
  document.addEventListener("htmx:sse:before:message", (event) => {
    if (!paused) return;
    skipped = event.detail.message.data;
    event.preventDefault();
  });
  document.addEventListener("htmx:sse:after:message", afterUpdate);
  document.addEventListener("htmx:sse:after:connection", () => { if (!paused) show("live", "live"); });
  document.addEventListener("htmx:sse:error", () => show("lost", "connection lost; trying again"));
  document.addEventListener("htmx:response:error", () => show("lost", "not kept current: reload by hand"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);
  const pause = byId("pause");
  if (pause) pause.hidden = false;
  refresh();
})();
