// With #selftest behind its address the page checks itself, in whatever browser it is open, and writes what it found into
// the document. The test of the page (tests/sim/view) reads it there.

function selftest(page) {
  const {model, diagram} = page, {trace, filter} = model, results = [];
  const check = (name, ok, more = '') => results.push({name, ok: Boolean(ok), more: String(more)});
  const measured = {};
  const frame = (change) => {
    change();
    const begin = performance.now();
    diagram.draw();
    diagram.context.getImageData(0, 0, 1, 1);   // waits until it is on the canvas
    return performance.now() - begin;
  };

  measured.load_ms = performance.now();   // since the page began
  measured.events = trace.size;
  check('all events of the head are there', trace.size === trace.head.events, trace.size);
  check('there are lanes of nodes', trace.nodes.length > 0, trace.nodes.length);
  check('times do not go back', trace.at.every((t, i) => i === 0 || t >= trace.at[i - 1]));
  let forward = 0, unknown = 0;
  for (let i = 0; i < trace.size; ++i) for (const p of trace.parentsOf(i)) p === NONE ? ++unknown : p >= i && ++forward;
  check('no event comes before what it follows from', forward === 0, forward);
  check('parents are missing only where events were left out', unknown === 0 || trace.head.dropped > 0, unknown);
  check('messages arrive after they left', trace.messages.every((m) => m.end >= m.begin));
  check('most messages have both ends', trace.messages.length === 0 || trace.messages.filter((m) => m.receive !== NONE).length > trace.messages.length / 2);

  // Everything that is drawn shows: the canvas is not of one colour.
  const image = diagram.context.getImageData(0, 0, diagram.canvas.width, diagram.canvas.height).data, seen = new Set();
  diagram.show(trace.begin, trace.end);
  diagram.draw();
  const drawn = diagram.context.getImageData(0, 0, diagram.canvas.width, diagram.canvas.height).data;
  for (let i = 0; i < drawn.length; i += 4 * 97) seen.add((drawn[i] << 16) | (drawn[i + 1] << 8) | drawn[i + 2]);
  check('the diagram has many colours', seen.size > 5, seen.size);
  check('another part of the time looks different', image.length !== drawn.length || trace.violation === NONE || image.some((v, i) => v !== drawn[i]));

  // Where an event is drawn it is found.
  const some = [...filter.places].filter((i) => ['role', 'crash', 'apply', 'start'].includes(trace.events[i].kind)).slice(0, 5);
  for (const i of some) {
    const t = trace.at[i];
    diagram.show(t - 5e4, t + 5e4);
    diagram.draw();
    const found = diagram.hit(diagram.x(t), diagram.y[trace.laneOf[i]]);
    check('an event is hit where it is drawn: ' + trace.events[i].text, found !== NONE && Math.abs(trace.at[found] - t) < 1e4, found);
  }

  // Zoom and pan, over the whole and deep inside.
  const times = [];
  const span = trace.end - trace.begin;
  for (let k = 0; k < 12; ++k) times.push(frame(() => diagram.show(trace.begin + span * k / 400, trace.end - span * k / 400)));
  measured.whole_ms = Math.max(...times.slice(1));
  for (let k = 0; k < 30; ++k) times.push(frame(() => diagram.zoom(0.7, trace.begin + span * 0.6)));
  for (let k = 0; k < 30; ++k) times.push(frame(() => diagram.zoom(1 / 0.7, trace.begin + span * 0.6)));
  for (let k = 0; k < 20; ++k) times.push(frame(() => diagram.pan(k % 2 ? 0.2 : -0.1)));
  times.sort((a, b) => a - b);
  measured.frame_median_ms = times[times.length >> 1];
  measured.frame_ms = times[Math.floor(times.length * 0.9)];   // nine of ten are faster
  measured.frame_worst_ms = times.at(-1);

  // The causal past of the last event: what it counts on each lane is no more than there is, and holds all parents.
  const last = trace.violation !== NONE ? trace.violation : trace.size - 1;
  page.select(last);
  const past = model.past;
  measured.past_ms = frame(() => trace.pastOf(last));
  check('an event is in its own past', past && past.marks[last] === 1);
  let closed = true;
  for (let i = 0; i < trace.size && closed; ++i) if (past.marks[i]) for (const p of trace.parentsOf(i)) closed &&= p === NONE || past.marks[p] === 1;
  check('what the past follows from is in the past', closed);
  check('nothing later than the event is in its past', !past.marks.subarray(last + 1).includes(1));
  check('the details name the event', byId('details').textContent.includes(trace.events[last].text));
  check('the list shows it', document.querySelector('.row.selected') !== null);

  // Filters.
  filter.text = 'vote';
  page.filterChanged();
  check('the text filter leaves what has the text', [...filter.places].every((i) => (trace.events[i].text + trace.events[i].kind + trace.events[i].lane).toLowerCase().includes('vote')), filter.count);
  const votes = filter.count;
  filter.text = '';
  filter.kinds.delete('send');
  page.filterChanged();
  check('a kind that is off is not shown', [...filter.places].every((i) => trace.events[i].kind !== 'send'));
  filter.kinds.add('send');
  page.filterChanged();
  check('without filters everything is shown', filter.count === trace.size && votes < trace.size);

  // The slider: states are those of the last change before.
  byId('instant').value = 500000;
  byId('instant').dispatchEvent(new Event('input'));
  const middle = trace.begin + span / 2;
  check('the slider sets the instant', Math.abs(model.instant - middle) < span / 1e5);
  trace.nodes.forEach((lane, n) => {
    let state = {};
    for (const i of lane.events) {
      const e = trace.events[i];
      if (e.t > model.instant) break;
      state = e.kind === 'start' ? {running: true} : e.kind === 'crash' ? {running: false} : {...state, ...e.state};
    }
    const shown = byId('states').tBodies[0].rows[n].cells[1 + page.states.fields.indexOf('term')];
    const expected = (trace.head.dropped ? trace.stateAt(lane, model.instant).state : state);
    check(`the table shows the term of ${lane.name}`, shown.textContent === String(expected.running === false ? '–' : expected.term ?? '–'), shown.textContent);
  });

  // Keys.
  const press = (key, more = {}) => byId('diagram').dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true, ...more}));
  page.select(filter.places.find((i) => diagram.neighbour(i, 1) !== NONE));
  const at = model.selected;
  press('ArrowRight');
  check('an arrow goes to the next event of the lane', model.selected > at && trace.laneOf[model.selected] === trace.laneOf[at]);
  press('ArrowLeft');
  check('and the other one back', model.selected === at);
  press('Escape');
  check('Escape selects nothing', model.selected === NONE && model.past === null);
  if (trace.violation !== NONE) {
    press('v');
    check('V goes to the violation', model.selected === trace.violation && diagram.view.t0 < trace.at[trace.violation] && diagram.view.t1 > trace.at[trace.violation]);
    check('the violation is told at the top', !byId('violation').hidden && byId('violation-text').textContent === trace.head.text);
  }
  page.setTheme(true);
  check('dark is dark', diagram.colors.ground !== '' && getComputedStyle(document.body).backgroundColor === 'rgb(21, 24, 28)');
  page.setTheme(false);
  check('nothing is loaded from elsewhere', performance.getEntriesByType('resource').length === 0);

  const out = byId('selftest-result');
  out.textContent = JSON.stringify({failed: results.filter((r) => !r.ok), passed: results.filter((r) => r.ok).length, measured});
  out.hidden = false;
}
