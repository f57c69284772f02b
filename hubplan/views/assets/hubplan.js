/* hubplan's own map layer on Leaflet: packed lines on one canvas, marks with labels, legend, panel and table twin.
   Text reaches the page only as textContent. Everything is drawn on three copies of the world (-360, 0, +360). */
(function () {
"use strict";
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.";
const CODE = {};
for (let i = 0; i < 64; i += 1) CODE[ALPHABET[i]] = i;
const COPIES = [-360, 0, 360];
const LAND_SCALE = 100, LINE_SCALE = 200; /* as in polyline.py */
const LAND = "#f3f1ec", BORDER = "#b9b7b0", SHUT = "#b3261e", NEW = "#ffb000";
const TINT = { member: "#b9d3ee", excluded: "#8f8f8f" };
const MODE_WORDS = { sea: "sea", rail: "rail", road: "road", port: "port", transfer: "transfer", access: "access road" };
const KIND_WORDS = { mine: "mine", plant: "plant", market: "market", port: "port of call", barred: "barred by a rule" };

function decode(text, scale) {
  const out = [];
  let lat = 0, lon = 0, i = 0;
  const next = function () {
    let value = 0, shift = 0, bits;
    do { bits = CODE[text[i]]; i += 1; value |= (bits & 31) << shift; shift += 5; } while (bits & 32);
    return value & 1 ? ~(value >> 1) : value >> 1;
  };
  while (i < text.length) { lat += next(); lon += next(); out.push([lat / scale, lon / scale]); }
  return out;
}
function shifted(points, by) { return points.map((p) => [p[0], p[1] + by]); }
function el(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}
function svg(tag, attributes) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const key of Object.keys(attributes)) node.setAttribute(key, attributes[key]);
  return node;
}
function number(value) {
  const digits = Math.abs(value) >= 100 || value === 0 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString("en-US", { maximumFractionDigits: digits });
}
function rows(columns) {
  /* Columns of equal length -> objects; an empty table is an empty list. */
  const names = Object.keys(columns);
  return names.length ? columns[names[0]].map((_, i) => Object.fromEntries(names.map((name) => [name, columns[name][i]]))) : [];
}
function unpack(packed) {
  const spec = Object.assign({}, packed);
  for (const name of ["forms", "ways", "flows", "lines", "sites", "zones"]) spec[name] = rows(packed[name]);
  for (const way of spec.ways) {
    way.origin = spec.words[way.origin]; way.destination = spec.words[way.destination];
    way.zones = way.zones.map((i) => spec.words[i]); way.ports = way.ports.map((i) => spec.words[i]);
  }
  for (const site of spec.sites) site.details = rows(site.details);
  const on = spec.ways.map(() => []);
  spec.flows = spec.flows.map((flow, i) => { on[flow.way].push(i); return Object.assign({}, spec.ways[flow.way], flow); });
  for (const line of spec.lines) for (const side of ["along", "against"]) line[side] = [].concat(...line[side].map((way) => on[way]));
  spec.plain = spec.periods[0] === ""; /* single routes: no tonnes, no years */
  return spec;
}
function short(name) { return name.replace(/ \(.*/, "").replace(/,.*/, ""); }
function sum(list) { return list.reduce((a, b) => a + b, 0); }
function style(css) {
  if (document.querySelector("style[data-hubplan]")) return;
  const node = el("style", "", css);
  node.dataset.hubplan = "1";
  document.head.appendChild(node);
}

/* ---- land ---------------------------------------------------------------------------------------------------------- */
const rings = {};
function land(code) {
  if (!rings[code]) rings[code] = (window.hubplanLand[code] || []).map((ring) => decode(ring, LAND_SCALE));
  return rings[code];
}
function outline(ring) {
  /* The cut at the antimeridian is no coast: leave it out of the outline. */
  const parts = [[]];
  ring.forEach((p, i) => {
    const q = ring[i - 1];
    if (q && Math.abs(p[1]) > 179.99 && Math.abs(q[1]) > 179.99) parts.push([]);
    parts[parts.length - 1].push(p);
  });
  return parts.filter((part) => part.length > 1);
}
function pane(map, name, z) {
  if (!map.getPane(name)) map.createPane(name).style.zIndex = z;
  return name;
}
function base(map) {
  map.getContainer().classList.add("hp-map");
  /* The wheel scrolls the page until the map is clicked, so that nobody is caught in it. */
  map.scrollWheelZoom.disable();
  map.on("mousedown", () => map.scrollWheelZoom.enable());
  map.getContainer().addEventListener("mouseleave", () => map.scrollWheelZoom.disable());
  if (!map.zoomControl && !map.hubplanZoom) {
    map.hubplanZoom = L.control.zoom({ position: "bottomright" }).addTo(map);
    L.control.scale({ position: "bottomright", imperial: false }).addTo(map);
  }
  if (map.attributionControl) map.attributionControl.setPrefix("Leaflet");
  pane(map, "hp-land", 150); pane(map, "hp-tint", 160); pane(map, "hp-border", 170); pane(map, "hp-lanes", 400);
  map.getPane("hp-land").style.pointerEvents = map.getPane("hp-tint").style.pointerEvents = map.getPane("hp-border").style.pointerEvents = "none";
  const under = L.canvas({ pane: "hp-land", padding: 0.3 }), over = L.canvas({ pane: "hp-border", padding: 0.3 });
  const fills = [], lines = [];
  for (const code of Object.keys(window.hubplanLand)) for (const ring of land(code)) {
    for (const by of COPIES) {
      fills.push([shifted(ring, by)]);
      for (const part of outline(ring)) lines.push(shifted(part, by));
    }
  }
  L.polygon(fills, { renderer: under, pane: "hp-land", stroke: false, fillColor: LAND, fillOpacity: 1, interactive: false, smoothFactor: 0.8 }).addTo(map);
  L.polyline(lines, { renderer: over, pane: "hp-border", color: BORDER, weight: 0.7, interactive: false, smoothFactor: 0.8 }).addTo(map);
  window.addEventListener("resize", () => map.invalidateSize());
  setTimeout(() => map.invalidateSize(), 0);
}

/* ---- lines --------------------------------------------------------------------------------------------------------- */
const Lane = L.Polyline.extend({
  /* One stretch: strokes side by side, one for each class of cargo, with arrows in the direction of travel. */
  _updatePath: function () {
    const renderer = this._renderer, ctx = renderer._ctx;
    if (!renderer._drawing || !this._parts.length || !this.strokes.length) return;
    const gap = 0.8, total = sum(this.strokes.map((s) => s.width + gap)) - gap;
    let at = -total / 2;
    ctx.save();
    ctx.lineJoin = "round";
    for (const stroke of this.strokes) { stroke.off = at + stroke.width / 2; at += stroke.width + gap; }
    for (const stroke of this.strokes) this._trace(ctx, stroke.off, stroke.width + (this.lit ? 6 : 1.6), this.lit ? NEW : "rgba(255,255,255,.75)", []);
    for (const stroke of this.strokes) {
      const w = stroke.width;
      const dash = this.mode === "rail" ? [0.1, w * 1.9 + 1] : this.mode === "sea" ? [] : [w * 2 + 3, w + 3];
      this._trace(ctx, stroke.off, w, stroke.colour, dash);
      if (stroke.width >= 1.5) this._arrow(ctx, stroke);
    }
    ctx.restore();
  },
  _trace: function (ctx, off, width, colour, dash) {
    ctx.beginPath();
    for (const part of this._parts) {
      const points = offset(part, off);
      points.forEach((p, i) => (i ? ctx.lineTo(p[0], p[1]) : ctx.moveTo(p[0], p[1])));
    }
    ctx.setLineDash(dash);
    ctx.lineCap = dash.length && dash[0] > 1 ? "butt" : "round";
    ctx.lineWidth = width; ctx.strokeStyle = colour;
    ctx.stroke();
    ctx.setLineDash([]);
  },
  _arrow: function (ctx, stroke) {
    for (const part of this._parts) {
      const points = offset(part, stroke.off);
      let length = 0;
      for (let i = 1; i < points.length; i += 1) length += Math.hypot(points[i][0] - points[i - 1][0], points[i][1] - points[i - 1][1]);
      if (length < 60) continue;
      let rest = length * 0.55, i = 1, step = 0;
      for (; i < points.length; i += 1) {
        step = Math.hypot(points[i][0] - points[i - 1][0], points[i][1] - points[i - 1][1]);
        if (rest <= step || i === points.length - 1) break;
        rest -= step;
      }
      if (!step) continue;
      const k = Math.min(1, rest / step), a = points[i - 1], b = points[i];
      const x = a[0] + (b[0] - a[0]) * k, y = a[1] + (b[1] - a[1]) * k;
      const turn = Math.atan2(b[1] - a[1], b[0] - a[0]), size = 3.5 + stroke.width * 0.9;
      for (const way of stroke.ways) {
        ctx.save();
        ctx.translate(x, y); ctx.rotate(turn + (way < 0 ? Math.PI : 0));
        ctx.beginPath(); ctx.moveTo(size, 0); ctx.lineTo(-size * 0.6, size * 0.72); ctx.lineTo(-size * 0.6, -size * 0.72); ctx.closePath();
        ctx.fillStyle = stroke.colour; ctx.strokeStyle = "#fff"; ctx.lineWidth = 1.2; ctx.stroke(); ctx.fill();
        ctx.restore();
      }
    }
  }
});
function offset(part, off) {
  if (!off) return part.map((p) => [p.x, p.y]);
  return part.map((p, i) => {
    const a = part[Math.max(0, i - 1)], b = part[Math.min(part.length - 1, i + 1)];
    const dx = b.x - a.x, dy = b.y - a.y, d = Math.hypot(dx, dy) || 1;
    return [p.x - (dy / d) * off, p.y + (dx / d) * off];
  });
}

/* ---- marks --------------------------------------------------------------------------------------------------------- */
function shape(kind, size, isNew) {
  const s = size, h = s / 2, box = svg("svg", { width: s, height: s, viewBox: [-h, -h, s, s].join(" "), class: "hp-mark", "aria-hidden": "true" });
  const common = { stroke: "#14191c", "stroke-width": 1.6, fill: isNew ? NEW : "#ffffff", "stroke-linejoin": "round" };
  const r = h - 1.2;
  const poly = (points, more) => box.appendChild(svg("polygon", Object.assign({ points: points }, common, more)));
  const corner = (n, turn) => Array.from({ length: n }, (_, i) => {
    const a = turn + (i * 2 * Math.PI) / n;
    return (r * Math.cos(a)).toFixed(2) + "," + (r * Math.sin(a)).toFixed(2);
  }).join(" ");
  if (kind === "mine") poly([0, -r].join(",") + " " + [r, r * 0.8].join(",") + " " + [-r, r * 0.8].join(","), { fill: isNew ? NEW : "#3b4a52" });
  else if (kind === "plant") poly([-r, -r, r, -r, r, r, -r, r].join(" "));
  else if (kind === "market") poly([0, -r, r, 0, 0, r, -r, 0].join(" "), { fill: "#d9a7d3" });
  else if (kind === "port") box.appendChild(svg("circle", Object.assign({ cx: 0, cy: 0, r: r }, common, { "stroke-width": 1.2 })));
  else if (kind === "open") poly(corner(8, Math.PI / 8), { stroke: SHUT, fill: "#fff", "stroke-width": 1.2 });
  else {
    const dark = kind === "barred" ? "#5c6368" : SHUT, k = r * 0.42;
    poly(corner(8, Math.PI / 8), { fill: dark, stroke: "#fff", "stroke-width": 1.2 });
    box.appendChild(svg("path", { d: ["M", -k, -k, "L", k, k, "M", k, -k, "L", -k, k].join(" "), stroke: "#fff", "stroke-width": 2, "stroke-linecap": "round" }));
  }
  if (isNew && kind !== "port") {
    const t = r * 0.5;
    box.appendChild(svg("path", { d: ["M", 0, -t, "L", 0, t, "M", -t, 0, "L", t, 0].join(" "), stroke: "#14191c", "stroke-width": 1.8, "stroke-linecap": "round" }));
  }
  return box;
}
const Mark = L.Icon.extend({
  createIcon: function () {
    const o = this.options, div = el("div", "leaflet-marker-icon hp-icon");
    div.style.width = div.style.height = o.size + "px";
    div.style.marginLeft = div.style.marginTop = -o.size / 2 + "px";
    div.appendChild(shape(o.kind, o.size, o.isNew));
    if (o.label) {
      const label = el("span", "hp-label" + (o.quiet ? " hp-quiet" : "") + (o.shut ? " hp-shut" : ""), o.label);
      div.appendChild(label);
    }
    return div;
  },
  createShadow: function () { return null; }
});

/* ---- the layer ----------------------------------------------------------------------------------------------------- */
const Layer = L.LayerGroup.extend({
  initialize: function (spec, options) {
    L.LayerGroup.prototype.initialize.call(this, []);
    this.spec = unpack(spec);
    this.options = options || {};
  },
  onAdd: function (map) {
    const spec = this.spec, memory = map.hubplanMemory || (map.hubplanMemory = { hidden: {} });
    this._map = map; this.memory = memory;
    this.period = Math.max(0, spec.periods.indexOf(memory.period));
    if (spec.periods.indexOf(memory.period) < 0) this.period = spec.periods.length - 1;
    this.colour = {};
    for (const form of spec.forms) this.colour[form.id] = form.colour;
    this.zoneName = {};
    for (const zone of spec.zones) this.zoneName[zone.id] = zone.name;
    if (this.options.frame && !memory.framed) { memory.framed = true; frame(map, spec.view); }
    this._tints(); this._areas(); this._lanes();
    L.LayerGroup.prototype.onAdd.call(this, map);
    this._controls();
    this.show(this.period);
    map.on("zoomend moveend resize", this._declutter, this);
    this._keys = (event) => { if (event.key === "Escape") this.select(null); };
    document.addEventListener("keydown", this._keys);
    map.hubplanLayer = this;
    map.getContainer().dataset.hubplan = spec.title;
    window.hubplanReady = (window.hubplanReady || 0) + 1;
  },
  onRemove: function (map) {
    map.off("zoomend moveend resize", this._declutter, this);
    document.removeEventListener("keydown", this._keys);
    for (const control of this.controls) map.removeControl(control);
    for (const line of this.spec.credits) map.attributionControl && map.attributionControl.removeAttribution(line);
    L.LayerGroup.prototype.onRemove.call(this, map);
  },
  show: function (period) {
    this.period = period;
    this.memory.period = this.spec.periods[period];
    this._restyle(); this._marks(); this._declutter();
    if (this.onshow) this.onshow(period);
  },
  _tints: function () {
    const map = this._map, fills = { member: [], excluded: [] };
    for (const code of Object.keys(this.spec.tints)) for (const ring of land(code)) {
      for (const by of COPIES) fills[this.spec.tints[code]].push([shifted(ring, by)]);
    }
    const renderer = map.hubplanTint || (map.hubplanTint = L.canvas({ pane: pane(map, "hp-tint", 160), padding: 0.3 }));
    for (const group of Object.keys(fills)) if (fills[group].length) {
      this.addLayer(L.polygon(fills[group], { renderer: renderer, pane: "hp-tint", stroke: false, fillColor: TINT[group], fillOpacity: group === "member" ? 0.75 : 0.8, interactive: false, smoothFactor: 0.8 }));
    }
  },
  _canvas: function () {
    const map = this._map;
    return map.hubplanCanvas || (map.hubplanCanvas = L.canvas({ pane: pane(map, "hp-lanes", 400), padding: 0.3, tolerance: 5 }));
  },
  _areas: function () {
    for (const zone of this.spec.zones) for (const packed of zone.closed ? zone.rings : []) {
      const ring = decode(packed, LINE_SCALE);
      for (const by of COPIES) {
        const area = L.polygon(shifted(ring, by), { renderer: this._canvas(), pane: "hp-lanes", color: SHUT, weight: 1.5, dashArray: "5 5", fillColor: SHUT, fillOpacity: 0.14 });
        area.on("click", () => this.select({ zone: zone }));
        area.bindTooltip(() => this._zoneTip(zone), { sticky: true, className: "hp-tip" });
        this.addLayer(area);
      }
    }
  },
  _lanes: function () {
    this.lanes = [];
    for (const line of this.spec.lines) {
      const points = decode(line.line, LINE_SCALE), copies = [];
      for (const by of COPIES) {
        const lane = new Lane(shifted(points, by), { renderer: this._canvas(), pane: "hp-lanes", weight: 8, smoothFactor: 0.7, bubblingMouseEvents: false });
        lane.mode = line.mode; lane.line = line; lane.strokes = [];
        lane.on("mouseover", () => this._light(copies, true)).on("mouseout", () => this._light(copies, false));
        lane.on("click", () => this.select({ line: line }));
        lane.bindTooltip(() => this._laneTip(line), { sticky: true, className: "hp-tip", direction: "auto" });
        copies.push(lane);
        this.addLayer(lane);
      }
      this.lanes.push(copies);
    }
  },
  _light: function (copies, lit) { for (const lane of copies) { lane.lit = lit; if (lane._map) lane.redraw(); } },
  tonnes: function (flow) { return this.spec.flows[flow].t_yr[this.period]; },
  _open: function (flow) { return !this.memory.hidden[this.spec.flows[flow].form] && this.tonnes(flow) > 0; },
  _restyle: function () {
    const order = this.spec.forms.map((form) => form.id);
    let most = 0;
    const loads = this.lanes.map((copies) => {
      const load = {}, line = copies[0].line;
      [[line.along, 1], [line.against, -1]].forEach(([flows, way]) => flows.filter((f) => this._open(f)).forEach((f) => {
        const form = this.spec.flows[f].form, entry = load[form] || (load[form] = { t: 0, ways: [] });
        entry.t += this.tonnes(f);
        if (entry.ways.indexOf(way) < 0) entry.ways.push(way);
      }));
      for (const form of Object.keys(load)) most = Math.max(most, load[form].t);
      return load;
    });
    this.most = most;
    this.lanes.forEach((copies, i) => {
      const load = loads[i];
      const strokes = order.filter((form) => load[form]).map((form) => ({ colour: this.colour[form], ways: load[form].ways, width: this._width(load[form].t) }));
      for (const lane of copies) {
        lane.strokes = strokes;
        lane.options.weight = Math.max(8, sum(strokes.map((s) => s.width + 2)));
        lane.options.interactive = strokes.length > 0;
        if (lane._map) lane.setStyle({});
      }
    });
  },
  _width: function (t) { return this.spec.plain ? 3 : 0.8 + 7.2 * Math.sqrt(t / (this.most || 1)); },
  _marks: function () {
    if (this.marks) this.marks.forEach((group) => group.copies.forEach((marker) => this.removeLayer(marker)));
    const largest = Math.max(1, ...this.spec.sites.map((site) => Math.max(...site.size_t_yr)));
    const used = new Set(), called = new Set();
    this.spec.flows.forEach((flow, i) => { if (this._open(i)) { flow.zones.forEach((z) => used.add(z)); flow.ports.forEach((p) => called.add(p)); } });
    this.marks = [];
    for (const zone of this.spec.zones) {
      if (!zone.closed && !used.has(zone.id)) continue;
      this._mark(zone, { kind: zone.closed ? "closed" : "open", size: zone.closed ? 20 : 11, label: short(zone.name), quiet: !zone.closed, shut: zone.closed, rank: zone.closed ? 900 : 1 },
        () => this._zoneTip(zone), { zone: zone });
    }
    for (const site of this.spec.sites) {
      const t = site.size_t_yr[this.period], fresh = site.new[this.period];
      if (site.kind === "port" ? !called.has(site.id) : !(t > 0) && !site.always) continue;
      const size = site.kind === "port" ? 9 : site.kind === "barred" ? 14 : 13 + 13 * Math.sqrt(t / largest);
      const rank = site.kind === "port" ? 2 : site.kind === "barred" ? 20 : fresh ? 1000 : 100 + t / largest;
      this._mark(site, { kind: site.kind, size: Math.round(size), isNew: fresh, label: short(site.name), quiet: site.kind === "port" || site.kind === "barred", rank: rank },
        () => this._siteTip(site), { site: site });
    }
    this.marks.sort((a, b) => b.rank - a.rank);
  },
  _mark: function (place, look, tip, target) {
    const copies = COPIES.map((by) => {
      const marker = L.marker([place.lat, place.lon + by], { icon: new Mark(Object.assign({ iconSize: [look.size, look.size] }, look)), keyboard: by === 0, alt: place.name, zIndexOffset: Math.round(look.rank * 10), riseOnHover: true });
      marker.on("click", () => this.select(target));
      marker.on("add", () => {
        const icon = marker.getElement();
        icon.setAttribute("aria-label", place.name + ", " + (target.zone ? this._zoneState(place) : KIND_WORDS[place.kind]));
        if (by !== 0) { icon.setAttribute("aria-hidden", "true"); return; }
        icon.addEventListener("keydown", (event) => {
          if (event.key === "Enter" || event.key === " ") { event.preventDefault(); this.select(target); this.panel.querySelector("button").focus(); }
        });
      });
      marker.bindTooltip(tip, { className: "hp-tip", direction: "auto", offset: [8, 0] });
      this.addLayer(marker);
      return marker;
    });
    this.marks.push({ copies: copies, rank: look.rank, size: look.size });
  },
  _declutter: function () {
    const map = this._map, size = map.getSize(), taken = [], items = [];
    for (const mark of this.marks || []) for (const marker of mark.copies) {
      const icon = marker.getElement(), label = icon && icon.querySelector(".hp-label");
      if (!label) continue;
      const p = map.latLngToContainerPoint(marker.getLatLng()), h = mark.size / 2;
      if (p.x < -60 || p.y < -40 || p.x > size.x + 60 || p.y > size.y + 40) { label.style.display = "none"; continue; }
      items.push({ p: p, h: h, label: label });
      taken.push([p.x - h, p.y - h, p.x + h, p.y + h]);
    }
    for (const box of map.getContainer().querySelectorAll(".hp-box, .leaflet-control-zoom")) {
      const r = box.getBoundingClientRect(), o = map.getContainer().getBoundingClientRect();
      if (r.width) taken.push([r.left - o.left, r.top - o.top, r.right - o.left, r.bottom - o.top]);
    }
    for (const item of items) { item.label.style.display = ""; item.w = item.label.offsetWidth; item.t = item.label.offsetHeight; }
    for (const item of items) {
      const { p, h, w, t } = item, gap = 3;
      const spots = [[h + gap, -t / 2], [-h - gap - w, -t / 2], [-w / 2, -h - gap - t + 2], [-w / 2, h + gap - 2], [h, -h - t + 4], [h, h - 4], [-h - w, -h - t + 4], [-h - w, h - 4]];
      const fit = spots.find(([dx, dy]) => {
        const b = [p.x + dx, p.y + dy, p.x + dx + w, p.y + dy + t];
        if (b[0] < 2 || b[1] < 2 || b[2] > size.x - 2 || b[3] > size.y - 2) return false;
        return !taken.some((o) => b[0] < o[2] && b[2] > o[0] && b[1] < o[3] && b[3] > o[1]);
      });
      if (!fit) { item.label.style.display = "none"; continue; }
      item.label.style.left = fit[0] + h + "px"; item.label.style.top = fit[1] + h + "px";
      taken.push([p.x + fit[0], p.y + fit[1], p.x + fit[0] + w, p.y + fit[1] + t]);
    }
  },

  /* -- words -- */
  _zoneState: function (zone) { return zone.kind.replace("-", " ") + ", " + (zone.closed ? "closed" : "open"); },
  _zoneTonnes: function (zone) {
    return sum(this.spec.flows.map((flow, i) => (this._open(i) && flow.zones.indexOf(zone.id) >= 0 ? this.tonnes(i) : 0)));
  },
  _zoneTip: function (zone) {
    const tip = el("div");
    tip.appendChild(el("b", "", zone.name));
    tip.appendChild(el("div", "hp-dim", this._zoneState(zone)));
    if (!zone.closed) tip.appendChild(el("div", "", number(this._zoneTonnes(zone)) + " t/yr pass here"));
    return tip;
  },
  _facts: function (site) {
    /* What a site does in the period shown: [label, value or nothing]. */
    return site.details.map((d) => {
      if (!d.size.length) return [d.label];
      const size = d.size[this.period];
      return [d.label, size > 0 ? number(d.used[this.period]) + " of " + number(size) + " t/yr" : d.none];
    });
  },
  _siteTip: function (site) {
    const tip = el("div");
    tip.appendChild(el("b", "", site.name));
    const what = (site.new[this.period] ? "new " : "") + KIND_WORDS[site.kind];
    tip.appendChild(el("div", "hp-dim", [what, site.country].filter(Boolean).join(", ")));
    this._facts(site).slice(0, 7).forEach(([label, value]) => tip.appendChild(el("div", "", value ? label + ": " + value : label)));
    return tip;
  },
  _lineFlows: function (line) { return line.along.concat(line.against).filter((f) => this._open(f)).sort((a, b) => this.tonnes(b) - this.tonnes(a)); },
  _laneTip: function (line) {
    const tip = el("div"), flows = this._lineFlows(line), unit = !this.spec.plain;
    tip.appendChild(el("b", "", unit ? number(sum(flows.map((f) => this.tonnes(f)))) + " t/yr by " + MODE_WORDS[line.mode] : "by " + MODE_WORDS[line.mode]));
    flows.slice(0, 4).forEach((f) => tip.appendChild(this._flowLine(f)));
    if (flows.length > 4) tip.appendChild(el("div", "hp-dim", "and " + (flows.length - 4) + " more; click to list them"));
    return tip;
  },
  _flowLine: function (f) {
    const flow = this.spec.flows[f], row = el("div");
    const dot = el("span", "hp-swatch");
    dot.style.background = this.colour[flow.form];
    row.appendChild(dot);
    row.appendChild(document.createTextNode((!this.spec.plain ? number(this.tonnes(f)) + " t/yr " : "") + flow.commodity + ", " + short(flow.origin) + " to " + short(flow.destination)));
    row.appendChild(el("div", "hp-dim", number(flow.length_km) + " km, " + number(flow.days) + " days, $" + number(flow.usd_t) + "/t"));
    return row;
  },
  _flowFacts: function (f) {
    const flow = this.spec.flows[f];
    const zones = flow.zones.map((z) => this.zoneName[z] || z);
    const rows = [["from", flow.origin], ["to", flow.destination]];
    if (!this.spec.plain) rows.unshift(["load", number(this.tonnes(f)) + " t/yr"]);
    return rows.concat([["way", number(flow.length_km) + " km, " + number(flow.days) + " days"], ["cost", "$" + number(flow.usd_t) + " a tonne"], ["passes", zones.length ? zones.join(", ") : "no strait or canal"]]);
  },
  _table: function (rows) {
    const table = el("table"), body = table.appendChild(el("tbody"));
    for (const [label, value] of rows) {
      const tr = body.appendChild(el("tr"));
      const th = tr.appendChild(el("th", "", label));
      th.scope = "row";
      if (value === undefined) th.colSpan = 2; else tr.appendChild(el("td", "", value));
    }
    return table;
  },
  select: function (target) {
    const panel = this.panel;
    panel.replaceChildren();
    panel.hidden = !target;
    this.target = target;
    if (!target) { this._declutter(); return; }
    const close = panel.appendChild(el("button", "hp-fold", "Close"));
    close.addEventListener("click", () => this.select(null));
    if (target.line) {
      const flows = this._lineFlows(target.line);
      panel.appendChild(el("h2", "", !this.spec.plain ? number(sum(flows.map((f) => this.tonnes(f)))) + " t/yr by " + MODE_WORDS[target.line.mode] : "By " + MODE_WORDS[target.line.mode]));
      flows.forEach((f, i) => {
        if (i) panel.appendChild(el("hr"));
        const head = el("div"), dot = head.appendChild(el("span", "hp-swatch"));
        dot.style.background = this.colour[this.spec.flows[f].form];
        head.appendChild(el("b", "", this.spec.flows[f].commodity));
        panel.appendChild(head);
        panel.appendChild(this._table(this._flowFacts(f)));
      });
    } else if (target.zone) {
      const zone = target.zone, flows = this.spec.flows.map((_, i) => i).filter((i) => this._open(i) && this.spec.flows[i].zones.indexOf(zone.id) >= 0);
      panel.appendChild(el("h2", "", zone.name));
      panel.appendChild(el("div", "", this._zoneState(zone)));
      if (!zone.closed) panel.appendChild(el("div", "", number(this._zoneTonnes(zone)) + " t/yr pass here"));
      flows.sort((a, b) => this.tonnes(b) - this.tonnes(a)).forEach((f) => panel.appendChild(this._flowLine(f)));
    } else {
      const site = target.site;
      panel.appendChild(el("h2", "", site.name));
      panel.appendChild(el("div", "", [(site.new[this.period] ? "new " : "") + KIND_WORDS[site.kind], site.country].filter(Boolean).join(", ")));
      panel.appendChild(this._table(this._facts(site)));
      this._siteFlows(panel, site, "destination", "receives");
      this._siteFlows(panel, site, "origin", "sends");
    }
    this._declutter();
  },
  _siteFlows: function (panel, site, end, verb) {
    const flows = this.spec.flows.map((_, i) => i).filter((i) => this._open(i) && this.spec.flows[i][end] === site.name);
    if (!flows.length) return;
    panel.appendChild(el("h3", "", verb));
    flows.sort((a, b) => this.tonnes(b) - this.tonnes(a)).forEach((f) => panel.appendChild(this._flowLine(f)));
  },

  /* -- controls -- */
  _controls: function () {
    const map = this._map, spec = this.spec;
    this.controls = [];
    const add = (position, node) => {
      const control = L.control({ position: position });
      control.onAdd = () => { L.DomEvent.disableClickPropagation(node); L.DomEvent.disableScrollPropagation(node); return node; };
      control.addTo(map);
      this.controls.push(control);
    };
    this.panel = el("section", "hp-box hp-panel");
    this.panel.hidden = true;
    this.panel.setAttribute("aria-label", "Details");
    this.panel.setAttribute("aria-live", "polite");
    add("topright", this.panel);
    if (spec.periods.length > 1) {
      const years = el("div", "hp-box hp-years");
      years.setAttribute("role", "group"); years.setAttribute("aria-label", "Year shown");
      years.appendChild(el("span", "", "Year"));
      spec.periods.forEach((name, i) => {
        const button = years.appendChild(el("button", "", name));
        button.type = "button";
        button.addEventListener("click", () => {
          this.show(i);
          years.querySelectorAll("button").forEach((b, j) => b.setAttribute("aria-pressed", String(i === j)));
          if (this.target) this.select(this.target);
        });
        button.setAttribute("aria-pressed", String(i === this.period));
      });
      add("topleft", years);
    }
    add("bottomleft", this._legend());
    if (map.attributionControl) for (const line of spec.credits) map.attributionControl.addAttribution(line);
  },
  _legend: function () {
    const spec = this.spec, memory = this.memory, narrow = this._map.getSize().x < 1000;
    const box = el("section", "hp-box hp-legend" + (narrow ? " hp-narrow" : ""));
    if (memory.folded === undefined) memory.folded = narrow;
    box.setAttribute("aria-label", "Legend");
    const fold = box.appendChild(el("button", "hp-fold"));
    fold.type = "button";
    const told = () => {
      box.classList.toggle("hp-folded", memory.folded);
      fold.textContent = memory.folded ? (narrow ? "More" : "Show") : narrow ? "Less" : "Hide";
      fold.setAttribute("aria-expanded", String(!memory.folded));
    };
    fold.addEventListener("click", () => { memory.folded = !memory.folded; told(); this._declutter(); });
    told();
    box.appendChild(el("h2", "", "Legend"));
    const body = box.appendChild(el("div", "hp-body"));
    const section = (title) => { body.appendChild(el("h3", "", title)); return body.appendChild(el("ul")); };
    const stroke = (colour, dash, width) => {
      const picture = svg("svg", { width: 30, height: 10, "aria-hidden": "true" });
      picture.appendChild(svg("line", { x1: 2, y1: 5, x2: 28, y2: 5, stroke: colour, "stroke-width": width || 4, "stroke-dasharray": dash || "none", "stroke-linecap": dash === "0.1 6" ? "round" : "butt" }));
      return picture;
    };
    if (spec.forms.length) {
      const list = section(spec.plain ? "Ways" : "Cargo; click to hide");
      for (const form of spec.forms) {
        const button = el("button");
        button.type = "button";
        button.setAttribute("aria-pressed", String(!this.memory.hidden[form.id]));
        button.appendChild(stroke(form.colour));
        button.appendChild(el("span", "", form.name));
        button.addEventListener("click", () => {
          this.memory.hidden[form.id] = !this.memory.hidden[form.id];
          button.setAttribute("aria-pressed", String(!this.memory.hidden[form.id]));
          this.show(this.period);
        });
        list.appendChild(el("li")).appendChild(button);
      }
    }
    const modes = new Set(spec.lines.map((line) => line.mode)), list = modes.size ? section(spec.plain ? "Mode" : "Mode; wider = more tonnes a year") : null;
    const row = (list, picture, text) => { const li = list.appendChild(el("li")); li.appendChild(picture); li.appendChild(el("span", "", text)); };
    if (modes.has("sea")) row(list, stroke("#333"), "sea");
    if (modes.has("rail")) row(list, stroke("#333", "0.1 6"), "rail");
    if (modes.has("road") || modes.has("access")) row(list, stroke("#333", "9 5"), "road");
    const places = section("Places");
    places.className = "hp-cols";
    const has = (kind) => spec.sites.some((site) => site.kind === kind);
    if (has("mine")) row(places, shape("mine", 15), spec.plain ? "start" : "mine");
    if (has("plant")) row(places, shape("plant", 15), "plant");
    if (spec.sites.some((site) => site.new.some(Boolean))) row(places, shape("plant", 15, true), "new plant");
    if (has("market")) row(places, shape("market", 15), spec.plain ? "end" : "market");
    if (has("port")) row(places, shape("port", 10), "port of call");
    row(places, shape("open", 11), "strait, open");
    if (spec.zones.some((zone) => zone.closed)) row(places, shape("closed", 16), "closed");
    if (has("barred")) row(places, shape("barred", 14), "barred by rule");
    for (const picture of places.querySelectorAll("svg")) picture.style.position = "static";
    const groups = new Set(Object.values(spec.tints));
    if (groups.size) {
      const tints = section("Countries");
      const patch = (colour) => { const p = svg("svg", { width: 18, height: 12, "aria-hidden": "true" }); p.appendChild(svg("rect", { width: 18, height: 12, fill: colour, stroke: "#888" })); return p; };
      tints.className = "hp-cols";
      if (groups.has("member")) row(tints, patch(TINT.member), "coalition");
      if (groups.has("excluded")) row(tints, patch(TINT.excluded), "excluded");
    }
    return box;
  }
});

/* ---- the table twin ------------------------------------------------------------------------------------------------ */
function twin(root, layer) {
  const spec = layer.spec;
  root.classList.add("hp-twin");
  const go = (place, target) => {
    layer._map.setView([place.lat, place.lon], Math.max(layer._map.getZoom(), 4), { animate: false });
    layer.select(target);
    layer._map.getContainer().scrollIntoView({ block: "nearest" });
  };
  const table = (title, heads, rows) => {
    if (!rows.length) return;
    const scroll = root.appendChild(el("div", "hp-scroll"));
    scroll.tabIndex = 0;
    scroll.setAttribute("role", "region"); scroll.setAttribute("aria-label", title);
    const t = scroll.appendChild(el("table"));
    t.appendChild(el("caption", "", title));
    const head = t.appendChild(el("thead")).appendChild(el("tr"));
    heads.forEach(([name, numeric]) => { const th = head.appendChild(el("th", numeric ? "hp-n" : "", name)); th.scope = "col"; });
    const body = t.appendChild(el("tbody"));
    for (const cells of rows) {
      const tr = body.appendChild(el("tr"));
      cells.forEach((cell, i) => {
        const td = tr.appendChild(el("td", heads[i][1] ? "hp-n" : ""));
        if (cell && cell.go) { const b = td.appendChild(el("button", "", cell.text)); b.type = "button"; b.addEventListener("click", cell.go); } else td.textContent = cell;
      });
    }
  };
  layer.onshow = () => {
    const year = spec.periods[layer.period] ? " in " + spec.periods[layer.period] : "", weighed = !spec.plain;
    root.replaceChildren();
    const places = spec.sites.filter((s) => ["mine", "plant", "market"].includes(s.kind) && (s.size_t_yr[layer.period] > 0) && weighed)
      .sort((a, b) => Number(b.new[layer.period]) - Number(a.new[layer.period]) || a.kind.localeCompare(b.kind) || b.size_t_yr[layer.period] - a.size_t_yr[layer.period]);
    table("Places" + year, [["Place"], ["Country"], ["Kind"], ["What it does"]],
      places.map((s) => [{ text: s.name, go: () => go(s, { site: s }) }, s.country, (s.new[layer.period] ? "new " : "") + KIND_WORDS[s.kind],
        layer._facts(s).filter(([, value]) => value && value.includes(" of ")).map(([label, value]) => label + ": " + value).join("; ")]));
    const flows = spec.flows.map((f, i) => [f, i]).filter(([f]) => f.t_yr[layer.period] > 0).sort((a, b) => b[0].t_yr[layer.period] - a[0].t_yr[layer.period]);
    table((weighed ? "Cargoes" : "Ways") + year, [[weighed ? "Cargo" : "Way"], ["From"], ["To"]].concat(weighed ? [["t/yr", true]] : [], [["km", true], ["Days", true], ["USD/t", true], ["Passes"]]),
      flows.map(([f]) => [f.commodity, f.origin, f.destination].concat(weighed ? [number(f.t_yr[layer.period])] : [], [number(f.length_km), number(f.days), number(f.usd_t), f.zones.map((z) => layer.zoneName[z] || z).join(", ")])));
    const shut = spec.zones.filter((z) => z.closed);
    table("Closed passages", [["Passage"], ["Kind"]], shut.map((z) => [{ text: z.name, go: () => go(z, { zone: z }) }, z.kind.replace("-", " ")]));
    const barred = spec.sites.filter((s) => s.kind === "barred");
    table("Barred by the rules", [["Place"], ["Country"], ["Why"]], barred.map((s) => [{ text: s.name, go: () => go(s, { site: s }) }, s.country, s.details.map((d) => d.label).join("; ")]));
  };
  layer.onshow();
}

function frame(map, view) {
  const [west, south, east, north] = view, size = map.getSize(), left = size.x >= 1000 ? 250 : 20;
  const low = Math.max(south, -52), high = Math.min(north, 72);
  if (east - west > 300) {
    /* The whole world, once, in the room beside the legend; the equator a little below the middle. */
    const zoom = Math.max(map.getMinZoom(), Math.floor(Math.log2((size.x - left) / 256 + 0.03) * 4) / 4);
    map.setView([25, (west + east) / 2 - (left / 2) * (360 / (256 * Math.pow(2, zoom)))], zoom, { animate: false });
    return;
  }
  map.fitBounds([[low, west], [high, east]], { paddingTopLeft: [left, 45], paddingBottomRight: [60, 25], animate: false, maxZoom: 6 });
}
function layer(spec, options) { return new Layer(spec, options); }
function page() {
  /* A page of its own: #map, #twin and the data in #spec. */
  const spec = JSON.parse(document.getElementById("spec").textContent);
  const map = L.map("map", { zoomSnap: 0.25, zoomDelta: 0.5, minZoom: 1.5, maxZoom: 9, worldCopyJump: true, preferCanvas: true, zoomControl: false, maxBounds: [[-75, -720], [84, 720]], maxBoundsViscosity: 0.8 });
  frame(map, spec.view);
  base(map);
  const shown = layer(spec).addTo(map);
  twin(document.getElementById("twin"), shown);
  window.hubplanMap = map;
}
window.hubplan = { decode: decode, style: style, base: base, layer: layer, twin: twin, frame: frame, page: page };
})();
