// What stands beside the diagram: filters, the selected event, the list of events, the states of nodes, the overview.

function element(tag, attributes = {}, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) e.addEventListener(name.slice(2), value);
    else if (name in e) e[name] = value;
    else e.setAttribute(name, value);
  }
  e.append(...children);
  return e;
}
const byId = (id) => document.getElementById(id);
const laneWords = (name) => name.replace(/(\d+)$/, ' $1');

/// Which events are shown: by kind, type of message, lane and text.
class Filter {
  constructor(trace) {
    this.trace = trace;
    this.kinds = new Set(KINDS);
    this.types = new Set(MESSAGE_TYPES);
    this.lanes = new Set(trace.lanes.map((l) => l.number));
    this.text = '';
    this.type = new Int8Array(trace.size).fill(NONE);
    for (const m of trace.messages)
      for (const i of [m.send, m.receive, m.lost]) if (i !== NONE) this.type[i] = MESSAGE_TYPES.indexOf(m.type);
    for (let i = 0; i < trace.size; ++i)
      if (trace.events[i].kind === 'receive' && this.type[i] === NONE) this.type[i] = MESSAGE_TYPES.indexOf(messageType(trace.events[i].values?.type));
    this.update();
  }

  update() {
    const {trace} = this, n = trace.size, words = this.text.toLowerCase().split(/\s+/).filter(Boolean);
    const kinds = Uint8Array.from(KINDS, (k) => this.kinds.has(k)), types = Uint8Array.from(MESSAGE_TYPES, (t) => this.types.has(t));
    const lanes = Uint8Array.from(trace.lanes, (l) => this.lanes.has(l.number));
    this.pass = new Uint8Array(n);
    this.count = 0;
    for (let i = 0; i < n; ++i) {
      if (!kinds[trace.kind[i]] || !lanes[trace.laneOf[i]] || (this.type[i] >= 0 && !types[this.type[i]])) continue;
      if (words.length) {
        const e = trace.events[i], text = (e.text + ' ' + e.kind + ' ' + e.lane).toLowerCase();
        if (!words.every((w) => text.includes(w))) continue;
      }
      this.pass[i] = 1;
      ++this.count;
    }
    this.places = new Int32Array(this.count);
    for (let i = 0, k = 0; i < n; ++i) if (this.pass[i]) this.places[k++] = i;
  }

  passes(i) { return this.pass[i] === 1; }
  passesMessage(m) { return this.passes(m.send) || (m.receive !== NONE && this.passes(m.receive)) || (m.lost !== NONE && this.passes(m.lost)); }
}

/// Checkboxes for a set; `color`: of a name.
function choices(into, names, chosen, count, color, changed) {
  into.replaceChildren(...names.map(({value, label}) => element('label', {},
    element('input', {type: 'checkbox', checked: chosen.has(value), onchange: (e) => {
      if (e.target.checked) chosen.add(value);
      else chosen.delete(value);
      changed();
    }}),
    ...(color ? [element('span', {className: 'swatch', style: `background: var(--${color(value)})`})] : []),
    element('span', {}, label), element('span', {}, String(count(value))))));
}

class Details {
  constructor(into, model, select) {
    Object.assign(this, {into, model, select});
  }

  link(place) {
    const e = this.model.trace.events[place];
    return element('li', {}, element('button', {type: 'button', className: 'event-link', onclick: () => this.select(place)},
      element('span', {}, laneWords(e.lane)), element('span', {}, e.kind === 'send' ? 'sends ' + e.text : e.kind === 'receive' ? 'receives ' + e.text : e.text)));
  }

  list(title, places) {
    if (!places.length) return [];
    const shown = places.slice(0, 12), more = places.length - shown.length;
    return [element('h3', {}, title), element('ol', {}, ...shown.map((p) => this.link(p)), ...(more > 0 ? [element('li', {className: 'quiet'}, `and ${more} more`)] : []))];
  }

  show() {
    const {trace, selected, past, story: all} = this.model;
    if (selected === NONE) {
      this.into.replaceChildren(element('p', {className: 'quiet'}, 'Click an event or an arrow to see what it is and what it follows from.'));
      return;
    }
    const e = trace.events[selected], facts = [];
    const fact = (name, value) => facts.push(element('dt', {}, name), element('dd', {}, String(value)));
    fact('time', seconds(e.t, 1) + ' s');
    if (e.lane !== 'world') fact('on', laneWords(e.lane));
    fact('kind', e.kind);
    const message = trace.messageOf.get(selected);
    if (message) fact('travelled', message.receive === NONE ? 'did not arrive' : ((message.end - message.begin) / 1e6).toFixed(3) + ' ms');
    for (const [name, value] of Object.entries(e.values || {})) {
      if (['sent', 'type', 'lasts', 'fault'].includes(name) || value === '') continue;
      fact(name, ['to', 'from'].includes(name) ? 'node ' + value : value);
    }
    for (const [name, value] of Object.entries(e.state || {})) fact(name, value);
    fact('event', e.id);
    const parents = [...trace.parentsOf(selected)].filter((p) => p !== NONE), children = [...trace.childrenOf(selected)];
    const parts = [element('h2', {}, e.text), element('dl', {}, ...facts), ...this.list('Follows directly from', parents),
                   ...this.list('From it follow directly', children)];
    if (past) {
      const clock = [...past.count].filter(([name]) => name !== 'world').sort(([a], [b]) => a.localeCompare(b)).map(([name, n]) => `${name} ${n}`).join(', ');
      const story = all.slice(1).filter((p) => !['durable', 'sync', 'commit'].includes(KINDS[trace.kind[p]])).slice(0, 12);
      parts.push(...this.list('How it came to this, the latest first', story), element('h3', {}, 'In its causal past'), element('p', {className: 'mono'}, clock));
    }
    this.into.replaceChildren(...parts);
    this.into.scrollTop = 0;
  }
}

/// As many rows as can be seen of all the events that pass.
class Log {
  constructor(box, model, select) {
    Object.assign(this, {box, model, select, space: byId('log-space'), rows: byId('log-rows')});
    this.height = 22;
    box.addEventListener('scroll', () => this.draw());
    new ResizeObserver(() => this.draw()).observe(box);
  }

  filtered() {
    this.space.style.height = this.model.filter.count * this.height + 'px';
    this.draw();
  }
  reveal(place) {
    const row = lowerBound(this.model.filter.places, place), top = row * this.height;
    if (top < this.box.scrollTop || top > this.box.scrollTop + this.box.clientHeight - this.height)
      this.box.scrollTop = top - this.box.clientHeight / 2;
    this.draw();
  }

  draw() {
    const {trace, filter, selected, past} = this.model;
    const first = Math.max(0, Math.floor(this.box.scrollTop / this.height) - 3);
    const last = Math.min(filter.count, first + Math.ceil(this.box.clientHeight / this.height) + 6);
    const rows = [];
    for (let k = first; k < last; ++k) {
      const i = filter.places[k], e = trace.events[i];
      const classes = ['row', 'is-' + e.kind, i === selected ? 'selected' : '', past && past.marks[i] ? 'past' : ''].filter(Boolean).join(' ');
      const text = e.kind === 'send' ? '→ ' + e.values.to + '  ' + e.text : e.kind === 'receive' ? '← ' + e.values.from + '  ' + e.text : e.text;
      rows.push(element('div', {className: classes, role: 'option', title: e.text, ariaSelected: String(i === selected), onclick: () => this.select(i)},
        element('span', {}, seconds(e.t, 1e8)), element('span', {}, laneWords(e.lane)), element('span', {}, text)));
    }
    this.rows.style.top = first * this.height + 'px';
    this.rows.replaceChildren(...rows);
  }
}

class States {
  constructor(table, model) {
    Object.assign(this, {table, model});
    const {trace} = model;
    const known = new Set();
    for (const lane of trace.nodes) for (const s of lane.states) for (const name of Object.keys(s.state)) known.add(name);
    this.fields = STATE_FIELDS.filter((f) => f === 'role' || known.has(f));
    table.tHead.replaceChildren(element('tr', {}, ...['node', ...this.fields].map((f) => element('th', {scope: 'col'}, f))));
    table.tBodies[0].replaceChildren(...trace.nodes.map((lane) => element('tr', {}, element('td', {}, laneWords(lane.name)), ...this.fields.map(() => element('td')))));
  }

  show() {
    const {trace, instant} = this.model;
    trace.nodes.forEach((lane, n) => {
      const row = this.table.tBodies[0].rows[n], now = trace.stateAt(lane, instant);
      row.className = now.state.running ? '' : 'down';
      this.fields.forEach((field, k) => {
        const cell = row.cells[k + 1], value = now.state[field];
        cell.className = now.changed.includes(field) && instant - now.at < 1e6 ? 'changed' : '';
        if (field !== 'role') cell.textContent = !now.state.running || value === undefined ? '–' : value === 0 && ['vote', 'leader'].includes(field) ? 'none' : value;
        else {
          const role = now.state.running ? value || 'starting' : 'down';
          cell.replaceChildren(element('span', {className: 'role'}, element('i', {className: 'swatch', style: `background: var(--${ROLE_NAMES[role] ? role : 'follower'})`}), role));
        }
      });
    });
  }
}

/// All of the time in one strip: how much happens when, faults, and the part that the diagram shows.
class Overview {
  constructor(canvas, model, diagram) {
    Object.assign(this, {canvas, model, diagram});
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  draw() {
    const {trace} = this.model, {canvas, diagram} = this, box = canvas.getBoundingClientRect(), ratio = window.devicePixelRatio || 1;
    if (!box.width) return;
    canvas.width = Math.round(box.width * ratio);
    canvas.height = Math.round(box.height * ratio);
    const c = canvas.getContext('2d'), colors = diagram.colors, span = trace.end - trace.begin;
    c.scale(ratio, ratio);
    const x = (t) => (t - trace.begin) / span * box.width;
    c.fillStyle = colors.ground;
    c.fillRect(0, 0, box.width, box.height);
    if (!this.density || this.density.length !== Math.ceil(box.width / 2)) {
      this.density = new Float64Array(Math.ceil(box.width / 2));
      for (let i = 0; i < trace.size; ++i) ++this.density[Math.min(this.density.length - 1, Math.floor(x(trace.at[i]) / 2))];
      this.densest = Math.sqrt(Math.max(1, ...this.density));
    }
    c.fillStyle = colors.fault;
    for (const f of trace.faults) c.fillRect(x(f.begin), 0, Math.max(1, x(f.end) - x(f.begin)), box.height);
    c.fillStyle = colors.follower;
    this.density.forEach((n, k) => {
      const height = Math.sqrt(n) / this.densest * (box.height - 4);
      c.fillRect(k * 2, box.height - height, 1.6, height);
    });
    if (trace.violation !== NONE) {
      c.fillStyle = colors.bad;
      c.fillRect(x(trace.at[trace.violation]) - 1, 0, 2, box.height);
    }
    const x0 = Math.max(0, x(diagram.view.t0)), x1 = Math.min(box.width, x(diagram.view.t1));
    c.strokeStyle = colors.accent;
    c.lineWidth = 1.5;
    c.strokeRect(x0 + 0.75, 0.75, Math.max(2, x1 - x0 - 1.5), box.height - 1.5);
  }
}
