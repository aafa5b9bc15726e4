// Draws the widgets from the figures; where the page is live, asks for new ones again and again.
"use strict";
(() => {
  const WIDTH = 400, HEIGHT = 170, LEFT = 46, RIGHT = 10, TOP = 10, BOTTOM = 22;
  const byId = (id) => document.getElementById(id);
  const svg = (tag, attributes, text) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const html = (tag, attributes, ...content) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...content);
    return node;
  };

  const quantity = (value, unit) => {
    if (value === undefined) return "–";
    const size = Math.abs(value);
    const digits = size === 0 || size >= 100 || (unit === "" && Number.isInteger(value)) ? 0 : size >= 10 ? 1 : 2;
    const cents = unit === "$" ? 2 : 0;
    const text = value.toLocaleString("en", { maximumFractionDigits: Math.max(digits, cents), minimumFractionDigits: cents });
    return unit === "$" ? `$${text}` : unit ? `${text} ${unit}` : text;
  };
  const clock = (seconds) => new Date(seconds * 1000).toISOString().slice(11, 16);
  const roundUp = (value) => {
    if (value <= 0) return 1;
    const power = 10 ** Math.floor(Math.log10(value));
    return [1, 2, 3, 4, 5, 6, 8, 10].find((step) => step * power >= value * (1 - 1e-9)) * power;
  };
  const last = (line) => line.points.length ? line.points.at(-1) : undefined;
  const sum = (line) => line.points.reduce((total, point) => total + point[1], 0);
  const mean = (line) => line.points.length ? sum(line) / line.points.length : undefined;

  // One card, made once; `show` draws new figures in it.
  const card = (widget) => {
    const moment = html("span", { class: "moment" });
    const keys = html("ul", { class: "keys" });
    const image = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", tabindex: 0 });
    const node = html("section", { class: "widget", "data-widget": widget.key },
      html("h2", {}, widget.title, moment), image, keys, html("p", { class: "note" }, widget.note));
    let current = null, place = null;

    const moments = () => [...new Set(current.widget.lines.flatMap((line) => line.points.map(([at]) => at)))].sort((a, b) => a - b);
    const read = (at) => {
      const { widget } = current;
      moment.textContent = at === null ? "" : `${clock(at)} UTC`;
      keys.replaceChildren(...widget.lines.map((line) => {
        const found = at === null ? last(line) : line.points.find(([when]) => when === at);
        return html("li", {}, html("i", { class: "ink", style: `background: ${line.color}` }), line.label, html("b", {}, quantity(found && found[1], widget.unit)));
      }));
      for (const old of image.querySelectorAll(".cursor")) old.remove();
      if (at !== null) image.append(svg("line", { class: "cursor", x1: current.x(at), x2: current.x(at), y1: TOP, y2: HEIGHT - BOTTOM }));
      const said = widget.lines.map((line) => `${line.label} ${quantity((at === null ? last(line) || [] : line.points.find(([when]) => when === at) || [])[1], widget.unit)}`);
      image.setAttribute("aria-label", `${widget.title}${at === null ? ", latest" : ` at ${clock(at)} UTC`}: ${said.join(", ")}`);
    };
    const go = (index) => {
      const known = moments();
      if (!known.length) return;
      place = Math.min(known.length - 1, Math.max(0, index));
      read(known[place]);
    };
    const leave = () => { place = null; read(null); };
    image.addEventListener("pointermove", (event) => {
      const box = image.getBoundingClientRect();
      const at = (event.clientX - box.left) / box.width * WIDTH;
      const known = moments();
      if (known.length) go(known.reduce((best, when, index) => Math.abs(current.x(when) - at) < Math.abs(current.x(known[best]) - at) ? index : best, 0));
    });
    image.addEventListener("pointerleave", leave);
    image.addEventListener("blur", leave);
    image.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step) go(place === null ? (step > 0 ? 0 : Infinity) : place + step);
      else if (event.key === "Escape") leave();
      else return;
      event.preventDefault();
    });

    const show = (widget, from, to) => {
      const values = widget.lines.flatMap((line) => line.points.map(([, value]) => value));
      const top = roundUp(Math.max(0, ...values));
      const x = (at) => LEFT + (at - from) / (to - from) * (WIDTH - LEFT - RIGHT);
      const y = (value) => HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM);
      current = { widget, x };
      const parts = [0, 0.5, 1].flatMap((share) => [
        svg("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(share * top), y2: y(share * top) }),
        svg("text", { x: LEFT - 6, y: y(share * top) + 4, "text-anchor": "end" }, quantity(share * top, widget.unit)),
      ]);
      for (const share of [0, 0.5, 1]) parts.push(svg("text", {
        x: LEFT + share * (WIDTH - LEFT - RIGHT), y: HEIGHT - 6, "text-anchor": share === 0 ? "start" : share === 1 ? "end" : "middle",
      }, clock(from + share * (to - from))));
      for (const line of widget.lines) {
        const path = line.points.map(([at, value], index) => `${index ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`).join("");
        if (path) parts.push(svg("path", { class: "series ink", d: path, stroke: line.color, "data-line": line.id }));
        const end = last(line);
        if (end) parts.push(svg("circle", { class: "ink", cx: x(end[0]), cy: y(end[1]), r: 2.6, fill: line.color }));
      }
      if (!values.length) parts.push(svg("text", { class: "none", x: (LEFT + WIDTH) / 2, y: HEIGHT / 2, "text-anchor": "middle" }, "no data in this time"));
      image.replaceChildren(...parts);
      if (place === null) read(null); else go(place);
    };
    return { node, show };
  };

  const FACTS = [
    ["cold_starts", "cold_rate", "Cold-start rate, latest", last],
    ["latency", "p99", "Latency p99, latest", last],
    ["pool", "proven", "Environments proven", last],
    ["pings", "failed", "Pings failed, in all", sum],
    ["cost", "ping_cost", "Pings a month, on average", mean],
  ];
  const facts = (widgets) => FACTS.flatMap(([key, id, name, of]) => {
    const widget = widgets.find((item) => item.key === key);
    const line = widget && widget.lines.find((item) => item.id === id);
    if (!line) return [];
    const found = of(line);
    let text = quantity(Array.isArray(found) ? found[1] : found, widget.unit);
    const asked = id === "proven" && last(widget.lines.find((item) => item.id === "asked"));
    if (asked) text += ` of ${quantity(asked[1], "")}`;
    return [html("div", { "data-fact": id }, html("dt", {}, name), html("dd", {}, text))];
  });

  const cards = new Map();
  const show = (data) => {
    for (const widget of data.widgets) {
      if (!cards.has(widget.key)) {
        cards.set(widget.key, card(widget));
        byId("widgets").append(cards.get(widget.key).node);
      }
      cards.get(widget.key).show(widget, data.from, data.to);
    }
    byId("facts").replaceChildren(...facts(data.widgets));
    say(`as of ${new Date(data.now * 1000).toISOString().slice(0, 19).replace("T", " ")} UTC`, false);
    const cost = EVERY === null ? "" : ` Reading them costs $${data.read_usd.toFixed(5)} on AWS, $${(data.read_usd * 3600 / EVERY).toFixed(3)} an hour while this page is open.`;
    byId("footer").textContent = `Metrics of ${data.namespace} and AWS/Lambda, by ${data.period / 60} min.${cost} Arrow keys go through a chart.`;
    document.body.dataset.ready = "yes";
  };
  const say = (text, bad) => {
    byId("state").textContent = text;
    byId("state").classList.toggle("bad", bad);
  };

  const ask = async () => {
    try {
      const answer = await fetch("data.json");
      const found = await answer.json();
      if (answer.ok) show(found);
      else say(`not read: ${found.error}`, true);
    } catch {
      say("warmer dashboard does not answer; is it still running?", true);
    }
  };
  if (EVERY === null) show(DATA);
  else {
    ask();
    // A page that nobody sees asks for nothing: each read costs money.
    setInterval(() => { if (!document.hidden) ask(); }, EVERY * 1000);
    document.addEventListener("visibilitychange", () => { if (!document.hidden) ask(); });
  }
})();
