// The space–time diagram on a canvas: time to the right, a lane below the other. It draws no more than can be seen, however
// many events there are: of what would cover the same pixels it draws one.

const GUTTER = 76;        // names of lanes
const HEAD = 42;          // the scale of time, and names of faults
const LINES_MAX = 2000;   // messages drawn at once
const WORDS_MAX = 50;     // messages in view, with what they say
const SPAN_MIN = 2000;    // nanoseconds from edge to edge

const ROLE_NAMES = {leader: 'leader', candidate: 'candidate', 'pre-candidate': 'pre-candidate', follower: 'follower', down: 'down'};

/// How an event is drawn, and which of several at one place: the greater rank.
const GLYPHS = {
  violation: {rank: 9, shape: 'pin', color: 'bad', size: 6}, crash: {rank: 8, shape: 'cross', color: 'bad', size: 5},
  start: {rank: 7, shape: 'triangle', color: 'good', size: 5}, role: {rank: 6, shape: 'diamond', color: 'leader', size: 4.5},
  install: {rank: 5, shape: 'square', color: 'snapshot', size: 4}, conflict: {rank: 5, shape: 'diamond', color: 'snapshot', size: 4.5},
  report: {rank: 4, shape: 'ring', color: 'quiet', size: 4}, apply: {rank: 3, shape: 'dot', color: 'good', size: 2.6},
  commit: {rank: 2, shape: 'dot', color: 'text', size: 2.2}, sync: {rank: 2, shape: 'dot', color: 'proposal', size: 2.2},
  durable: {rank: 1, shape: 'dot', color: 'content', size: 1.8}, probe: {rank: 1, shape: 'dot', color: 'read', size: 1.8},
  send: {rank: 0, shape: 'dot', color: 'quiet', size: 1.5}, receive: {rank: 0, shape: 'dot', color: 'quiet', size: 1.5},
  call: {rank: 0, shape: 'dot', color: 'edit', size: 1.5}, done: {rank: 0, shape: 'dot', color: 'edit', size: 1.5},
  fault: {rank: 8, shape: 'none', color: 'bad', size: 4}, mend: {rank: 0, shape: 'none', color: 'bad', size: 4},
  lost: {rank: 0, shape: 'none', color: 'lost', size: 4},
};

const GLYPH_OF = KINDS.map((kind) => GLYPHS[kind]);

function seconds(ns, span = 0) {
  const digits = span === 0 ? 6 : Math.min(9, Math.max(0, 2 - Math.floor(Math.log10(span / 1e9))));
  return (ns / 1e9).toFixed(digits);
}

class Diagram {
  /// `model`: {trace, filter, selected, past, instant}; `events`: {select, hover, viewChanged, moved}.
  constructor(canvas, model, events) {
    this.canvas = canvas;
    this.context = canvas.getContext('2d');
    this.model = model;
    this.events = events;
    this.view = {t0: model.trace.begin, t1: model.trace.end};
    this.hover = null;
    this.frameTimes = [];
    this.readColors();
    this.listen();
  }

  readColors() {
    const style = getComputedStyle(document.documentElement);
    this.colors = {};
    for (const name of ['ground', 'panel', 'line', 'text', 'quiet', 'accent', 'accent-soft', 'bad', 'good', 'leader', 'candidate',
                        'pre-candidate', 'follower', 'down', 'append', 'vote', 'heartbeat', 'proposal', 'read', 'snapshot', 'content',
                        'other', 'lost', 'fault', 'fault-edge', 'edit', 'edit-soft'])
      this.colors[name] = style.getPropertyValue('--' + name).trim();
    this.redraw();
  }

  // --- places -----------------------------------------------------------------------------------------------------------

  resize() {
    const box = this.canvas.getBoundingClientRect(), ratio = window.devicePixelRatio || 1;
    this.width = box.width;
    this.height = box.height;
    this.canvas.width = Math.round(box.width * ratio);
    this.canvas.height = Math.round(box.height * ratio);
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.layOut();
    this.draw();   // at once: setting its size has cleared the canvas
  }

  /// Nodes share the height, each with its user close above it; clients have thin lanes below them all.
  layOut() {
    const shown = this.model.trace.lanes.filter((l) => l.name !== 'world' && this.model.filter.lanes.has(l.number));
    const is = (l, what) => l.name.startsWith(what);
    const nodes = shown.filter((l) => is(l, 'node')).length, users = shown.filter((l) => is(l, 'user')).length;
    const thin = 26, room = this.height - HEAD - 60 - (shown.length - nodes) * thin;
    const tall = Math.max(30, Math.min(260, room / Math.max(nodes - 1, 1)));
    this.y = new Float64Array(this.model.trace.lanes.length).fill(NaN);
    let top = HEAD + (users ? 4 : 16);
    for (const l of shown) {
      this.y[l.number] = top + 13;
      top += is(l, 'node') ? tall : thin;
    }
    this.bottom = Math.min(top - (shown.length && is(shown.at(-1), 'node') ? tall - 40 : 0), this.height);
    this.bandAbove = users ? thin + 13 : 15;
  }

  x(t) { return GUTTER + (t - this.view.t0) / (this.view.t1 - this.view.t0) * (this.width - GUTTER); }
  timeAt(x) { return this.view.t0 + (x - GUTTER) / (this.width - GUTTER) * (this.view.t1 - this.view.t0); }

  show(t0, t1) {
    const {begin, end} = this.model.trace, whole = end - begin;
    let span = Math.min(Math.max(t1 - t0, SPAN_MIN), whole * 1.04);
    let from = (t0 + t1) / 2 - span / 2;
    from = Math.max(begin - whole * 0.02, Math.min(from, end + whole * 0.02 - span));
    this.view = {t0: from, t1: from + span};
    this.redraw();
    this.events.viewChanged();
  }
  zoom(factor, around = (this.view.t0 + this.view.t1) / 2) {
    this.show(around - (around - this.view.t0) * factor, around + (this.view.t1 - around) * factor);
  }
  pan(part) {
    const by = (this.view.t1 - this.view.t0) * part;
    this.show(this.view.t0 + by, this.view.t1 + by);
  }
  reveal(place) {
    const t = this.model.trace.at[place], span = this.view.t1 - this.view.t0;
    if (t < this.view.t0 + span * 0.05 || t > this.view.t1 - span * 0.05) this.show(t - span / 2, t + span / 2);
  }

  // --- drawing ----------------------------------------------------------------------------------------------------------

  redraw() {
    if (this.pending || !this.width) return;
    this.pending = requestAnimationFrame(() => {
      this.pending = 0;
      this.draw();
    });
  }

  draw() {
    const begin = performance.now(), c = this.context;
    c.fillStyle = this.colors.ground;
    c.fillRect(0, 0, this.width, this.height);
    c.save();
    c.beginPath();
    c.rect(GUTTER, 0, this.width - GUTTER, this.height);
    c.clip();
    this.drawScale();
    this.drawFaults();
    this.drawRoles();
    this.drawCalls();
    this.drawMessages();
    this.drawEvents();
    this.drawPast();
    if (this.drawnMessages.length < WORDS_MAX) this.drawWords(this.drawnMessages);
    this.drawMarks();
    c.restore();
    this.drawNames();
    this.frameTimes.push(performance.now() - begin);
    if (this.frameTimes.length > 200) this.frameTimes.shift();
  }

  drawScale() {
    const c = this.context, span = this.view.t1 - this.view.t0;
    const rough = span / Math.max(2, (this.width - GUTTER) / 110), power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough);
    c.font = '11px system-ui, "Liberation Sans", "DejaVu Sans", sans-serif';
    c.textBaseline = 'middle';
    c.textAlign = 'center';
    c.lineWidth = 1;
    for (let t = Math.ceil(this.view.t0 / step) * step; t <= this.view.t1; t += step) {
      const x = Math.round(this.x(t)) + 0.5;
      c.strokeStyle = this.colors.line;
      c.beginPath();
      c.moveTo(x, 20);
      c.lineTo(x, this.bottom);
      c.stroke();
      c.fillStyle = this.colors.quiet;
      if (x > GUTTER + 14) c.fillText(seconds(t, step * 10) + ' s', x, 11);
    }
  }

  drawFaults() {
    const c = this.context;
    let named = -Infinity;
    this.faultBoxes = [];
    if (!this.model.filter.kinds.has('fault')) return;
    c.textAlign = 'left';
    for (const f of this.model.trace.faults) {
      if (f.end < this.view.t0 || f.begin > this.view.t1 || !this.model.filter.passes(f.place)) continue;
      const x0 = this.x(f.begin), x1 = Math.max(this.x(f.end), x0 + 1.5);
      c.fillStyle = this.colors.fault;
      for (const lane of f.nodes.length ? f.nodes : this.model.trace.nodes) {
        const y = this.y[lane.number];
        if (!Number.isNaN(y)) c.fillRect(x0, y - this.bandAbove, x1 - x0, this.bandAbove + 16);
      }
      c.fillStyle = this.colors['fault-edge'];
      c.fillRect(x0, 36, x1 - x0, 3);
      this.faultBoxes.push({x0, x1: Math.max(x1, x0 + 6), place: f.place});
      const from = Math.max(x0, GUTTER + 2);
      if (from < named || from > this.width - 30) continue;
      c.fillStyle = this.colors.bad;
      c.fillText(f.name, from, 28);
      named = from + c.measureText(f.name).width + 8;
    }
  }

  drawRoles() {
    const c = this.context;
    for (const lane of this.model.trace.nodes) {
      const y = this.y[lane.number];
      if (Number.isNaN(y)) continue;
      let i = Math.max(0, lowerBound(lane.roles, this.view.t0, (r) => r.end));
      let drawn = -Infinity, labelled = -Infinity;
      for (; i < lane.roles.length && lane.roles[i].begin <= this.view.t1; ++i) {
        const r = lane.roles[i], x0 = Math.max(this.x(r.begin), GUTTER - 2), x1 = Math.min(this.x(r.end), this.width + 2);
        if (x1 - drawn < 0.5) continue;
        drawn = x1;
        const tall = r.role === 'leader' ? 12 : r.role === 'down' ? 4 : 8;
        c.fillStyle = this.colors[r.role] || this.colors.follower;
        c.fillRect(x0, y - tall / 2, Math.max(x1 - x0, 1), tall);
        if (r.role === 'down' || r.term === 0 || x1 - x0 < 22 || x0 < labelled) continue;
        c.font = '10px system-ui, "Liberation Sans", "DejaVu Sans", sans-serif';
        c.textAlign = 'left';
        c.fillStyle = this.colors.quiet;
        c.fillText('t' + r.term, x0 + 3, y + 13);
        labelled = x0 + 24;
      }
    }
  }

  drawCalls() {
    const c = this.context, shown = this.model.filter.kinds.has('call');
    if (!shown) return;
    c.font = '11px system-ui, "Liberation Sans", "DejaVu Sans", sans-serif';
    c.textAlign = 'left';
    for (const lane of this.model.trace.lanes) {
      const y = this.y[lane.number];
      if (Number.isNaN(y) || !lane.calls.length) continue;
      let last = -Infinity;
      for (let i = Math.max(0, lowerBound(lane.calls, this.view.t0, (s) => s.begin) - 8); i < lane.calls.length; ++i) {
        const s = lane.calls[i];
        if (s.begin > this.view.t1) break;
        if (s.end < this.view.t0 || !this.model.filter.passes(s.place)) continue;
        const x0 = this.x(s.begin), x1 = Math.max(this.x(s.end), x0 + 2);
        if (x1 - last < 1) continue;
        last = x1;
        c.fillStyle = this.colors['edit-soft'];
        c.fillRect(x0, y - 8, x1 - x0, 16);
        c.fillStyle = s.failed ? this.colors.bad : this.colors.edit;
        c.fillRect(x0, y - 8, 2, 16);
        if (x1 - x0 > 40) this.clippedText(this.model.trace.events[s.place].text, x0 + 6, y, x1 - x0 - 8);
      }
    }
  }

  clippedText(text, x, y, room) {
    const c = this.context, fits = Math.floor(room / 5.6);
    if (fits < 3) return;
    c.fillText(text.length > fits ? text.slice(0, fits - 1) + '…' : text, x, y);
  }

  /// Of the messages in view those that pass the filters, thinned out where they would lie on each other.
  visibleMessages() {
    const {trace, filter} = this.model, out = [], lanes = trace.lanes.length;
    // Of each type between each two nodes; mostly two types make up the most.
    const ways = Math.max(1, trace.nodes.length * (trace.nodes.length - 1)) * 2;
    const gap = Math.max(1, (this.width * ways) / LINES_MAX);
    const last = new Float64Array(lanes * lanes * MESSAGE_TYPES.length).fill(-Infinity);
    const typePlace = new Map(MESSAGE_TYPES.map((type, i) => [type, i]));
    trace.forMessages(this.view.t0, this.view.t1, (m) => {
      if (Number.isNaN(this.y[m.from]) || Number.isNaN(this.y[m.to]) || !filter.passesMessage(m)) return;
      const x0 = this.x(m.begin), key = (m.from * lanes + m.to) * MESSAGE_TYPES.length + typePlace.get(m.type);
      if (m.receive !== NONE && x0 - last[key] < gap && m.send !== this.model.selected && m.receive !== this.model.selected) return;
      if (m.receive === NONE && x0 - last[key] < gap / 4) return;
      last[key] = x0;
      out.push(m);
    });
    return out;
  }

  drawMessages() {
    const c = this.context, messages = this.visibleMessages(), dim = this.model.past ? 0.28 : 1;
    this.drawnMessages = messages;
    const few = messages.length < 260;
    for (const type of MESSAGE_TYPES) {
      c.strokeStyle = this.colors[type];
      c.lineWidth = few ? 1.2 : 0.8;
      c.globalAlpha = dim * (type === 'heartbeat' ? 0.55 : few ? 0.9 : 0.6);
      c.beginPath();
      for (const m of messages) {
        if (m.type !== type || m.receive === NONE) continue;
        c.moveTo(this.x(m.begin), this.y[m.from]);
        c.lineTo(this.x(m.end), this.y[m.to]);
      }
      c.stroke();
      if (few) this.drawHeads(messages.filter((m) => m.type === type && m.receive !== NONE), this.colors[type]);
    }
    c.globalAlpha = dim;
    this.drawLost(messages.filter((m) => m.receive === NONE));
    c.globalAlpha = 1;
  }

  drawHeads(messages, color) {
    const c = this.context;
    c.fillStyle = color;
    c.beginPath();
    for (const m of messages) {
      const x = this.x(m.end), y = this.y[m.to], angle = Math.atan2(y - this.y[m.from], x - this.x(m.begin));
      for (const [k, turn] of [[0, 0], [1, 2.7], [1, -2.7]])
        c[k === 0 ? 'moveTo' : 'lineTo'](x + (k ? 7 * Math.cos(angle + turn) : 0), y + (k ? 7 * Math.sin(angle + turn) : 0));
      c.closePath();
    }
    c.fill();
  }

  /// A way that ends before the other lane.
  drawLost(messages) {
    const c = this.context;
    c.strokeStyle = this.colors.lost;
    c.lineWidth = 1;
    // Dashes take long to draw, and do not show where there are many.
    if (messages.length < 150) c.setLineDash([3, 3]);
    c.beginPath();
    const ends = [];
    for (const m of messages) {
      const x0 = this.x(m.begin), y0 = this.y[m.from], y = y0 + (this.y[m.to] - y0) * 0.45;
      const x = x0 + 14;
      c.moveTo(x0, y0);
      c.lineTo(x, y);
      ends.push([x, y]);
    }
    c.stroke();
    c.setLineDash([]);
    c.beginPath();
    for (const [x, y] of ends) {
      c.moveTo(x - 3, y - 3);
      c.lineTo(x + 3, y + 3);
      c.moveTo(x + 3, y - 3);
      c.lineTo(x - 3, y + 3);
    }
    c.stroke();
  }

  drawWords(messages) {
    const c = this.context, {past} = this.model;
    c.font = '10.5px system-ui, "Liberation Sans", "DejaVu Sans", sans-serif';
    c.textAlign = 'center';
    const taken = [];
    for (const m of messages) {
      const lost = m.receive === NONE, x0 = Math.max(this.x(m.begin), GUTTER), x1 = lost ? x0 + 30 : Math.min(this.x(m.end), this.width);
      const part = lost ? 0.25 : 0.38;
      const x = x0 + (x1 - x0) * part, y = this.y[m.from] + (this.y[m.to] - this.y[m.from]) * part;
      const text = this.model.trace.events[m.send].text.slice(0, 40), half = c.measureText(text).width / 2;
      if (x - half < GUTTER || x + half > this.width) continue;
      if (taken.some((b) => Math.abs(b.y - y) < 13 && Math.abs(b.x - x) < b.half + half + 4)) continue;
      taken.push({x, y, half});
      c.globalAlpha = past && !past.marks[lost ? m.send : m.receive] ? 0.45 : 1;
      c.fillStyle = this.colors.ground;
      c.fillRect(x - half - 2, y - 7, 2 * half + 4, 14);
      c.fillStyle = this.colors[m.type];
      c.fillText(text, x, y);
    }
    c.globalAlpha = 1;
  }

  drawEvents() {
    const {trace, filter, past} = this.model, dots = new Map();
    for (const lane of trace.lanes) {
      const y = this.y[lane.number];
      if (Number.isNaN(y)) continue;
      const from = lowerBound(lane.events, this.view.t0, (i) => trace.at[i]);
      let column = NaN, best = null;
      const put = () => {
        if (best === null) return;
        const alpha = past && !past.marks[best.place] ? 0.25 : 1;
        if (best.glyph.shape !== 'dot') return this.glyph(best.glyph, best.x, y, alpha);
        const key = best.glyph.color + alpha;
        if (!dots.has(key)) dots.set(key, {color: best.glyph.color, alpha, places: []});
        dots.get(key).places.push(best.x, y, best.glyph.size);
      };
      for (let k = from; k < lane.events.length; ++k) {
        const i = lane.events[k];
        if (trace.at[i] > this.view.t1) break;
        if (!filter.passes(i)) continue;
        const glyph = GLYPH_OF[trace.kind[i]], x = this.x(trace.at[i]), here = Math.floor(x / 2);
        // One a column of two pixels: the one that says the most.
        if (here !== column) {
          put();
          column = here;
          best = {glyph, x, place: i};
        } else if (glyph.rank > best.glyph.rank) {
          best = {glyph, x, place: i};
        }
      }
      put();
    }
    for (const d of dots.values()) this.drawDots(d);
  }

  /// All of one colour at once.
  drawDots({color, alpha, places}) {
    const c = this.context;
    c.globalAlpha = alpha;
    c.fillStyle = this.colors[color];
    c.beginPath();
    for (let k = 0; k < places.length; k += 3) {
      const [x, y, size] = [places[k], places[k + 1], places[k + 2]];
      if (places.length > 900) c.rect(x - size * 0.8, y - size * 0.8, size * 1.6, size * 1.6);
      else {
        c.moveTo(x + size, y);
        c.arc(x, y, size, 0, 7);
      }
    }
    c.fill();
    c.globalAlpha = 1;
  }

  glyph({shape, color, size}, x, y, alpha = 1) {
    const c = this.context;
    c.globalAlpha = alpha;
    c.fillStyle = c.strokeStyle = this.colors[color];
    c.lineWidth = 1.6;
    c.beginPath();
    if (shape === 'ring') c.arc(x, y - 13, size - 1, 0, 7);
    else if (shape === 'square') c.rect(x - size, y - size, 2 * size, 2 * size);
    else if (shape === 'diamond') {
      c.moveTo(x, y - size - 1); c.lineTo(x + size, y); c.lineTo(x, y + size + 1); c.lineTo(x - size, y);
    } else if (shape === 'triangle') {
      c.moveTo(x - size * 0.7, y - size); c.lineTo(x + size, y); c.lineTo(x - size * 0.7, y + size);
    } else if (shape === 'cross') {
      c.lineWidth = 2.4;
      c.moveTo(x - size, y - size); c.lineTo(x + size, y + size); c.moveTo(x + size, y - size); c.lineTo(x - size, y + size);
    }
    if (shape === 'cross' || shape === 'ring') c.stroke();
    else c.fill();
    c.globalAlpha = 1;
  }

  /// What the selected event follows from: all its ways from lane to lane, faint where there are many, and the last of them.
  drawPast() {
    const {trace, past, selected, story} = this.model, c = this.context;
    if (!past) return;
    const edges = [], last = new Float64Array(trace.lanes.length).fill(-Infinity);
    const from = lowerBound(trace.at, this.view.t0), to = Math.min(selected, lowerBound(trace.at, this.view.t1 + trace.travel));
    for (let i = from; i <= to && edges.length < LINES_MAX; ++i) {
      if (!past.marks[i]) continue;
      for (const p of trace.parentsOf(i)) {
        if (p === NONE || trace.laneOf[p] === trace.laneOf[i]) continue;
        const x = this.x(trace.at[i]);
        if (x - last[trace.laneOf[i]] < 1.5) continue;
        last[trace.laneOf[i]] = x;
        edges.push([p, i]);
      }
    }
    const line = (p, i) => {
      const y0 = this.y[trace.laneOf[p]], y1 = this.y[trace.laneOf[i]];
      if (Number.isNaN(y0) || Number.isNaN(y1)) return;
      c.moveTo(this.x(trace.at[p]), y0);
      c.lineTo(this.x(trace.at[i]), y1);
    };
    c.strokeStyle = this.colors.accent;
    c.lineWidth = edges.length > 80 ? 0.8 : 1.3;
    c.globalAlpha = edges.length > 400 ? 0.18 : edges.length > 80 ? 0.35 : 0.8;
    c.beginPath();
    for (const [p, i] of edges) line(p, i);
    c.stroke();
    c.globalAlpha = 1;
    c.lineWidth = 2.4;
    c.beginPath();
    for (let k = 0; k + 1 < story.length; ++k) line(story[k + 1], story[k]);
    c.stroke();
  }

  drawMarks() {
    const {trace, selected, instant} = this.model, c = this.context;
    if (trace.violation !== NONE) {
      const x = this.x(trace.at[trace.violation]);
      c.strokeStyle = c.fillStyle = this.colors.bad;
      c.lineWidth = 1.5;
      c.beginPath();
      c.moveTo(x, 6);
      c.lineTo(x, this.bottom);
      c.stroke();
      c.beginPath();
      c.moveTo(x, 2); c.lineTo(x + 12, 7); c.lineTo(x, 12);
      c.fill();
    }
    const now = this.x(instant);
    c.strokeStyle = this.colors.accent;
    c.lineWidth = 1;
    c.setLineDash([4, 3]);
    c.beginPath();
    c.moveTo(now, 20);
    c.lineTo(now, this.bottom);
    c.stroke();
    c.setLineDash([]);
    for (const [place, width] of [[this.hover, 1.2], [selected, 2.2]]) {
      if (place === null || place === NONE) continue;
      const y = this.y[trace.laneOf[place]];
      c.strokeStyle = this.colors.accent;
      c.lineWidth = width;
      c.beginPath();
      c.arc(this.x(trace.at[place]), Number.isNaN(y) ? 37 : y, 8, 0, 7);
      c.stroke();
    }
  }

  drawNames() {
    const c = this.context;
    c.fillStyle = this.colors.ground;
    c.fillRect(0, 0, GUTTER - 4, this.height);
    c.textAlign = 'left';
    c.textBaseline = 'middle';
    for (const lane of this.model.trace.lanes) {
      const y = this.y[lane.number];
      if (Number.isNaN(y)) continue;
      const node = lane.name.startsWith('node');
      c.font = (node ? '600 13px' : '12px') + ' system-ui, "Liberation Sans", "DejaVu Sans", sans-serif';
      c.fillStyle = node ? this.colors.text : this.colors.quiet;
      c.fillText(lane.name.replace(/(\d+)$/, ' $1'), 14, y);
    }
  }

  // --- hand and keys ----------------------------------------------------------------------------------------------------

  /// The event that is meant by a place on the canvas; NONE where there is none.
  hit(x, y) {
    const {trace, filter} = this.model;
    if (y < HEAD - 2) {
      const box = this.faultBoxes.find((b) => x >= b.x0 - 2 && x <= b.x1 + 2 && y > 20);
      if (box) return box.place;
      return trace.violation !== NONE && Math.abs(this.x(trace.at[trace.violation]) - x - 4) < 9 ? trace.violation : NONE;
    }
    const reach = (this.view.t1 - this.view.t0) * 7 / (this.width - GUTTER), t = this.timeAt(x);
    let best = NONE, distance = Infinity;
    for (const lane of trace.lanes) {
      if (!(Math.abs(this.y[lane.number] - y) < 11)) continue;
      for (let k = lowerBound(lane.events, t - reach, (i) => trace.at[i]); k < lane.events.length; ++k) {
        const i = lane.events[k], away = Math.abs(trace.at[i] - t);
        if (trace.at[i] > t + reach) break;
        const rank = GLYPH_OF[trace.kind[i]].rank;
        if (!filter.passes(i) || away - rank * reach * 0.08 >= distance) continue;
        distance = away - rank * reach * 0.08;
        best = i;
      }
      const call = lane.calls.find((s) => s.begin <= t && s.end >= t);
      if (best === NONE && call && filter.passes(call.place)) best = call.place;
    }
    return best !== NONE ? best : this.hitMessage(x, y);
  }

  hitMessage(x, y) {
    let best = NONE, distance = 5;
    for (const m of this.drawnMessages || []) {
      const lost = m.receive === NONE, x0 = this.x(m.begin), y0 = this.y[m.from];
      const dx = lost ? 14 : this.x(m.end) - x0, dy = (this.y[m.to] - y0) * (lost ? 0.45 : 1);
      const along = ((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy || 1);
      if (along < 0 || along > 1) continue;
      const away = Math.hypot(x - x0 - along * dx, y - y0 - along * dy);
      if (away >= distance) continue;
      distance = away;
      best = m.receive !== NONE ? m.receive : m.send;
    }
    return best;
  }

  listen() {
    const c = this.canvas;
    let drag = null;
    c.addEventListener('wheel', (e) => {
      e.preventDefault();
      if (e.shiftKey || Math.abs(e.deltaX) > Math.abs(e.deltaY)) this.pan((e.deltaX || e.deltaY) / 900);
      else this.zoom(Math.exp(e.deltaY * 0.0016), this.timeAt(e.offsetX));
    }, {passive: false});
    c.addEventListener('pointerdown', (e) => {
      drag = {x: e.offsetX, view: {...this.view}, moved: false};
      c.setPointerCapture(e.pointerId);
    });
    c.addEventListener('pointermove', (e) => {
      if (drag) {
        const by = (drag.x - e.offsetX) / (this.width - GUTTER) * (drag.view.t1 - drag.view.t0);
        drag.moved ||= Math.abs(drag.x - e.offsetX) > 4;
        if (!drag.moved) return;
        c.classList.add('dragging');
        this.show(drag.view.t0 + by, drag.view.t1 + by);
        return;
      }
      const place = this.hit(e.offsetX, e.offsetY);
      c.classList.toggle('pointing', place !== NONE);
      if (place === this.hover) return;
      this.hover = place === NONE ? null : place;
      this.events.hover(place, e.offsetX, e.offsetY);
      this.redraw();
    });
    c.addEventListener('pointerup', (e) => {
      c.classList.remove('dragging');
      if (drag && !drag.moved) {
        const place = this.hit(e.offsetX, e.offsetY);
        if (place !== NONE) this.events.select(place);
        else this.events.moved(this.timeAt(e.offsetX));
      }
      drag = null;
    });
    c.addEventListener('pointerleave', () => {
      this.hover = null;
      this.events.hover(NONE, 0, 0);
      this.redraw();
    });
    new ResizeObserver(() => this.resize()).observe(c);
  }

  /// From an event to the next one of its lane that passes the filters (by: 1 or −1), or to the lane above or below.
  neighbour(place, by) {
    const {trace, filter} = this.model, events = trace.lanes[trace.laneOf[place]].events;
    for (let k = lowerBound(events, place) + by; k >= 0 && k < events.length; k += by) if (filter.passes(events[k])) return events[k];
    return NONE;
  }
  beside(place, by) {
    const {trace, filter} = this.model;
    for (let l = trace.laneOf[place] + by; l >= 0 && l < trace.lanes.length; l += by) {
      if (Number.isNaN(this.y[l])) continue;
      const events = trace.lanes[l].events, k = lowerBound(events, trace.at[place], (i) => trace.at[i]);
      for (let away = 0; away < events.length; ++away)
        for (const j of [k + away, k - 1 - away]) if (j >= 0 && j < events.length && filter.passes(events[j])) return events[j];
    }
    return NONE;
  }
}
