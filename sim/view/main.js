// Puts the page together: what is chosen goes into one model, and whatever shows a part of it is told.

const KEYS = [['← →', 'event before or after, on the lane of the selected one'], ['↑ ↓', 'nearest event on the lane above or below'],
              ['Shift ← →', 'pan'], ['+ −', 'zoom'], ['0', 'the whole run'], ['V', 'what the run failed by'], ['C', 'causal past on or off'],
              ['/', 'filter by text'], ['Esc', 'nothing selected'], ['wheel, drag', 'zoom, pan']];

const STORY_MAX = 400;   // events that led to one, of those that are shown

class Page {
  constructor(text) {
    const begin = performance.now();
    const trace = new Trace(text);
    this.model = {trace, filter: new Filter(trace), selected: NONE, past: null, story: [], wantsPast: true, instant: trace.begin};
    this.diagram = new Diagram(byId('diagram'), this.model, {
      select: (place) => this.select(place), hover: (place, x, y) => this.showTip(place, x, y),
      viewChanged: () => this.overview && this.overview.draw(), moved: (time) => this.setInstant(time),
    });
    this.details = new Details(byId('details'), this.model, (place) => this.select(place, true));
    this.log = new Log(byId('log'), this.model, (place) => this.select(place, true));
    this.states = new States(byId('states'), this.model);
    this.overview = new Overview(byId('overview'), this.model, this.diagram);
    this.describe();
    this.fillMenus();
    this.listen();
    this.diagram.resize();
    this.details.show();
    this.filterChanged();
    this.setInstant(trace.begin);
    if (trace.violation !== NONE) this.toViolation();
    this.loadTime = performance.now() - begin;
  }

  describe() {
    const {trace} = this.model, {head} = trace, failed = head.outcome !== 'passed';
    byId('run-name').textContent = 'Seed ' + head.seed;
    document.title = `Seed ${head.seed}: ${head.outcome}`;
    byId('outcome').textContent = head.outcome;
    byId('outcome').classList.toggle('bad', failed);
    const dropped = head.dropped ? ` (the last ones; ${head.dropped.toLocaleString('en')} before them were left out)` : '';
    byId('run-facts').replaceChildren(
      `${trace.size.toLocaleString('en')} events${dropped}, ${seconds(trace.begin, 1e9)} to ${seconds(trace.end, 1e9)} s of virtual time, ${trace.nodes.length} nodes, built from ${head.commit}. Again: `,
      element('code', {}, head.command));
    if (failed) {
      byId('violation').hidden = false;
      byId('violation-text').textContent = head.text;
    }
    byId('help-keys').replaceChildren(...KEYS.flatMap(([key, what]) => [element('dt', {}, key), element('dd', {}, what)]));
    const legend = [...Object.keys(ROLE_NAMES).map((r) => [r, ROLE_NAMES[r] + (r === 'down' ? '' : ', a bar with its term')]),
                    ...MESSAGE_TYPES.map((t) => [t, t === 'other' ? 'other messages' : t + ' messages']), ['lost', 'lost: a dashed way that ends in a cross'],
                    ['fault-edge', 'a fault, on the nodes that it hits'], ['edit', 'a user’s edit or a client’s operation']];
    byId('legend').replaceChildren(...legend.map(([color, what]) => element('li', {}, element('span', {className: 'swatch', style: `background: var(--${color})`}), what)));
  }

  fillMenus() {
    const {trace, filter} = this.model, count = (list, of) => list.reduce((m, x) => m.set(of(x), (m.get(of(x)) || 0) + 1), new Map());
    const kinds = count(trace.events, (e) => e.kind), types = count(trace.messages, (m) => m.type);
    const changed = () => this.filterChanged();
    choices(byId('kinds'), KINDS.filter((k) => kinds.has(k)).map((k) => ({value: k, label: k})), filter.kinds, (k) => kinds.get(k), (k) => GLYPHS[k].color, changed);
    choices(byId('message-types'), MESSAGE_TYPES.filter((t) => types.has(t)).map((t) => ({value: t, label: t})), filter.types, (t) => types.get(t), (t) => t, changed);
    choices(byId('lanes'), trace.lanes.map((l) => ({value: l.number, label: laneWords(l.name)})), filter.lanes, (n) => trace.lanes[n].events.length, null, changed);
  }

  filterChanged() {
    const {filter, trace} = this.model;
    filter.update();
    byId('matches').textContent = filter.count === trace.size ? '' : `${filter.count.toLocaleString('en')} of ${trace.size.toLocaleString('en')} events`;
    this.diagram.layOut();
    this.diagram.redraw();
    this.log.filtered();
  }

  select(place, reveal = false) {
    const {model} = this;
    model.selected = place;
    model.past = place !== NONE && model.wantsPast ? model.trace.pastOf(place) : null;
    model.story = model.past ? model.trace.storyOf(place, STORY_MAX) : [];
    if (place !== NONE) {
      this.setInstant(model.trace.at[place]);
      if (reveal) this.diagram.reveal(place);
      history.replaceState(null, '', '#event=' + model.trace.events[place].id);
    } else {
      history.replaceState(null, '', '#');
    }
    this.details.show();
    if (place !== NONE) this.log.reveal(place);
    else this.log.draw();
    this.diagram.redraw();
  }

  setInstant(time) {
    const {trace} = this.model;
    this.model.instant = Math.min(Math.max(time, trace.begin), trace.end);
    byId('instant').value = Math.round((this.model.instant - trace.begin) / (trace.end - trace.begin) * 1e6);
    byId('now').textContent = seconds(this.model.instant, 1e5) + ' s';
    byId('instant').setAttribute('aria-valuetext', seconds(this.model.instant, 1e6) + ' seconds');
    this.states.show();
    this.diagram.redraw();
  }

  /// To the next event that passes the filters, or the one before.
  step(by) {
    const {trace, filter, selected, instant} = this.model;
    let k = selected !== NONE && trace.at[selected] === instant ? lowerBound(filter.places, selected) + by
                                                                : lowerBound(filter.places, instant, (i) => trace.at[i]) - (by < 0 ? 1 : 0);
    if (k >= 0 && k < filter.places.length) this.select(filter.places[k], true);
  }

  toViolation() {
    const {trace} = this.model;
    if (trace.violation === NONE) return;
    // So much time that what is in it can be told apart.
    const t = trace.at[trace.violation], before = trace.at[trace.violation - Math.min(60, Math.ceil(trace.violation / 3))];
    const span = Math.min(trace.end - trace.begin, Math.max((t - before) * 1.25, 2e6), 3e9);
    this.diagram.show(t - span * 0.85, t + span * 0.15);
    this.select(trace.violation);
  }

  showTip(place, x, y) {
    const tip = byId('tip');
    tip.hidden = place === NONE;
    if (place === NONE) return;
    const e = this.model.trace.events[place], way = e.kind === 'receive' ? `node ${e.values.from} → ` : e.kind === 'send' ? '' : '';
    const to = e.kind === 'send' ? ` → node ${e.values.to}` : '';
    tip.replaceChildren(element('b', {}, `${way}${laneWords(e.lane)}${to}`), ` · ${seconds(e.t, 1e6)} s`, element('br'), e.text);
    const stage = byId('stage').getBoundingClientRect();
    tip.style.left = Math.min(x + 14, stage.width - tip.offsetWidth - 8) + 'px';
    tip.style.top = Math.min(y + 16, stage.height - tip.offsetHeight - 8) + 'px';
  }

  setTheme(dark) {
    document.documentElement.dataset.theme = dark ? 'dark' : 'light';
    this.diagram.readColors();
    this.overview.draw();
  }

  listen() {
    const {diagram, model} = this, on = (id, event, f) => byId(id).addEventListener(event, f);
    on('zoom-in', 'click', () => diagram.zoom(1 / 1.6));
    on('zoom-out', 'click', () => diagram.zoom(1.6));
    on('zoom-all', 'click', () => diagram.show(model.trace.begin, model.trace.end));
    on('to-violation', 'click', () => this.toViolation());
    on('before', 'click', () => this.step(-1));
    on('after', 'click', () => this.step(1));
    on('help-button', 'click', () => byId('help').showModal());
    on('theme', 'click', () => this.setTheme(document.documentElement.dataset.theme !== 'dark'));
    on('past', 'change', (e) => {
      model.wantsPast = e.target.checked;
      this.select(model.selected);
    });
    let waiting = 0;
    on('search', 'input', (e) => {
      clearTimeout(waiting);
      waiting = setTimeout(() => {
        model.filter.text = e.target.value;
        this.filterChanged();
      }, 120);
    });
    on('instant', 'input', (e) => this.setInstant(model.trace.begin + e.target.value / 1e6 * (model.trace.end - model.trace.begin)));
    on('instant', 'keydown', (e) => {
      const by = {ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1}[e.key];
      if (!by) return;
      e.preventDefault();
      this.step(by);
    });
    document.addEventListener('pointerdown', (e) => {
      for (const menu of document.querySelectorAll('details.menu[open]')) if (!menu.contains(e.target)) menu.open = false;
    });
    document.addEventListener('keydown', (e) => this.key(e));
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', (e) => this.setTheme(e.matches));
  }

  key(e) {
    const {diagram, model} = this, typing = e.target.matches('input:not([type=checkbox]):not([type=range])');
    if (e.key === 'Escape' && !byId('help').open) {
      if (typing) e.target.blur();
      return this.select(NONE);
    }
    if (typing || e.ctrlKey || e.metaKey || e.altKey || byId('help').open) return;
    const simple = {'+': () => diagram.zoom(1 / 1.6), '=': () => diagram.zoom(1 / 1.6), '-': () => diagram.zoom(1.6), '0': () => diagram.show(model.trace.begin, model.trace.end),
                    'v': () => this.toViolation(), 'c': () => byId('past').click(), '?': () => byId('help').showModal(), '/': () => byId('search').focus()}[e.key.toLowerCase()];
    if (simple) {
      e.preventDefault();
      return simple();
    }
    const moves = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -1, ArrowDown: 1}[e.key];
    if (!moves || (e.target !== document.body && e.target.id !== 'diagram' && e.target.id !== 'log')) return;
    e.preventDefault();
    const along = e.key === 'ArrowLeft' || e.key === 'ArrowRight';
    if (e.shiftKey && along) return diagram.pan(moves * 0.15);
    if (model.selected === NONE || e.target.id === 'log') return this.step(moves);
    const next = along ? diagram.neighbour(model.selected, moves) : diagram.beside(model.selected, moves);
    if (next !== NONE) this.select(next, true);
  }
}

document.documentElement.dataset.theme = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
const wanted = location.hash;   // selecting an event changes it
const page = new Page(byId('trace').textContent);
if (wanted === '#selftest') selftest(page);
else if (wanted === '#dark') page.setTheme(true);
else if (wanted.startsWith('#event=')) {
  const place = page.model.trace.placeOf(Number(wanted.slice(7)));
  if (place !== NONE) page.select(place, true);
}
