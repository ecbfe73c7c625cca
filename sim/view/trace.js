// The trace: parsed once and indexed by lane and by time. Everything else asks here. Events are named by their place.

const NONE = -1;
const KINDS = ['start', 'crash', 'role', 'send', 'receive', 'lost', 'durable', 'commit', 'apply', 'install', 'sync',
               'conflict', 'report', 'probe', 'call', 'done', 'fault', 'mend', 'violation'];
const MESSAGE_TYPES = ['append', 'vote', 'heartbeat', 'proposal', 'read', 'snapshot', 'content', 'other'];
const STATE_FIELDS = ['role', 'term', 'vote', 'leader', 'last', 'durable', 'commit', 'applied', 'synced', 'conflicts'];

/// The first place in sorted `list` whose key is not below `value`.
function lowerBound(list, value, key = (x) => x) {
  let low = 0, high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (key(list[middle]) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function messageType(type = '') {
  if (type.startsWith('append')) return 'append';
  if (type.includes('vote')) return 'vote';
  if (type.startsWith('heartbeat')) return 'heartbeat';
  if (type.startsWith('proposal')) return 'proposal';
  if (type.startsWith('read')) return 'read';
  if (type.startsWith('snapshot')) return 'snapshot';
  if (type.startsWith('chunk') || type.startsWith('prepare')) return 'content';
  return 'other';
}

class Trace {
  constructor(text) {
    const end = text.indexOf('\n', 1);
    this.head = JSON.parse(text.slice(0, end));
    const rest = text.slice(end).trim();
    // One parse of one array is several times as fast as one a line.
    this.events = rest ? JSON.parse('[' + rest.replaceAll('\n', ',') + ']') : [];
    this.size = this.events.length;
    this.indexEvents();
    this.indexParents();
    this.indexLanes();
    this.indexMessages();
    this.indexStates();
    this.indexSpans();
  }

  indexEvents() {
    const n = this.size;
    this.firstId = n ? this.events[0].id : 1;
    this.at = new Float64Array(n);
    this.kind = new Uint8Array(n);
    const kinds = new Map(KINDS.map((name, i) => [name, i]));
    this.violation = NONE;
    for (let i = 0; i < n; ++i) {
      const e = this.events[i];
      this.at[i] = e.t;
      this.kind[i] = kinds.get(e.kind) ?? kinds.get('report');
      if (e.kind === 'violation' && this.violation === NONE) this.violation = i;
    }
    this.begin = n ? this.at[0] : 0;
    this.end = n ? Math.max(this.at[n - 1], this.begin + 1) : 1;
  }

  placeOf(id) {
    const place = id - this.firstId;
    return place >= 0 && place < this.size ? place : NONE;
  }

  /// Parents and children as flat lists: those of event i lie between offset[i] and offset[i + 1].
  indexParents() {
    const n = this.size;
    const offset = new Uint32Array(n + 1), degree = new Uint32Array(n + 1);
    for (let i = 0; i < n; ++i) offset[i + 1] = offset[i] + this.events[i].parents.length;
    const parent = new Int32Array(offset[n]);
    for (let i = 0, k = 0; i < n; ++i)
      for (const id of this.events[i].parents) {
        parent[k] = this.placeOf(id);
        if (parent[k] !== NONE) ++degree[parent[k] + 1];
        ++k;
      }
    for (let i = 0; i < n; ++i) degree[i + 1] += degree[i];
    const child = new Int32Array(degree[n]), next = degree.slice();
    for (let i = 0; i < n; ++i)
      for (let k = offset[i]; k < offset[i + 1]; ++k)
        if (parent[k] !== NONE) child[next[parent[k]]++] = i;
    Object.assign(this, {parentOffset: offset, parent, childOffset: degree, child});
  }

  parentsOf(i) { return this.parent.subarray(this.parentOffset[i], this.parentOffset[i + 1]); }
  childrenOf(i) { return this.child.subarray(this.childOffset[i], this.childOffset[i + 1]); }

  /// Each node with the user at it before it, then clients; what is the world's is drawn across.
  indexLanes() {
    const rank = (name) => {
      const number = Number(name.replace(/\D+/g, '') || 0);
      if (name.startsWith('user')) return number * 2 - 1;
      if (name.startsWith('node')) return number * 2;
      return name === 'world' ? NONE : 1e6 + number;
    };
    const names = new Set();
    for (const e of this.events) names.add(e.lane);
    this.lanes = [...names].sort((a, b) => rank(a) - rank(b)).map((name, number) => ({name, number, events: []}));
    const byName = new Map(this.lanes.map((l) => [l.name, l]));
    this.laneOf = new Uint8Array(this.size);
    for (let i = 0; i < this.size; ++i) {
      const lane = byName.get(this.events[i].lane);
      this.laneOf[i] = lane.number;
      lane.events.push(i);
    }
    for (const lane of this.lanes) lane.events = Int32Array.from(lane.events);
    this.laneByName = byName;
    this.nodes = this.lanes.filter((l) => l.name.startsWith('node'));
  }

  /// Messages by the time at which they left, and which of them are under way in each part of the time.
  indexMessages() {
    this.messages = [];
    const bySend = new Map();
    for (let i = 0; i < this.size; ++i) {
      const e = this.events[i];
      if (e.kind === 'send') {
        const to = this.laneByName.get('node' + e.values.to);
        const m = {send: i, receive: NONE, lost: NONE, from: this.laneOf[i], to: to ? to.number : this.laneOf[i],
                   type: messageType(e.values.type), begin: e.t, end: e.t};
        bySend.set(i, m);
        this.messages.push(m);
      } else if (e.kind === 'receive' || e.kind === 'lost') {
        const sent = e.values && e.values.sent ? this.placeOf(e.values.sent) : NONE;
        const m = bySend.get(sent);
        if (!m) continue;
        if (e.kind === 'receive') {
          if (m.receive !== NONE) {   // it came twice
            this.messages.push({...m, receive: i, end: e.t});
            continue;
          }
          m.receive = i;
          m.end = e.t;
        } else {
          m.lost = i;   // when that was found out says nothing of its way
        }
      }
    }
    this.messages.sort((a, b) => a.begin - b.begin);
    this.messageOf = new Map();
    for (const m of this.messages) {
      if (!this.messageOf.has(m.send)) this.messageOf.set(m.send, m);
      if (m.receive !== NONE) this.messageOf.set(m.receive, m);
      if (m.lost !== NONE) this.messageOf.set(m.lost, m);
    }
    // All but the slowest are found by when they left: those that began up to `travel` before a time may reach into it.
    const times = this.messages.map((m) => m.end - m.begin).sort((a, b) => a - b);
    this.travel = times.length ? times[Math.floor((times.length - 1) * 0.98)] : 0;
    this.slowMessages = this.messages.filter((m) => m.end - m.begin > this.travel);
  }

  /// Calls f for each message that is under way at some time from t0 to t1.
  forMessages(t0, t1, f) {
    const from = lowerBound(this.messages, t0 - this.travel, (m) => m.begin);
    for (const m of this.slowMessages) {
      if (m.begin >= t0 - this.travel) break;
      if (m.end >= t0) f(m);
    }
    for (let i = from; i < this.messages.length; ++i) {
      const m = this.messages[i];
      if (m.begin > t1) return;
      if (m.end >= t0) f(m);
    }
  }

  /// For each node how it stood from when on; `changed`: by its last change.
  indexStates() {
    const before = this.head.before || {};
    for (const lane of this.nodes) {
      let state = {running: true, ...before[lane.name]};
      lane.states = [{at: this.begin, place: NONE, state, changed: []}];
      for (const i of lane.events) {
        const e = this.events[i];
        if (e.kind === 'start') state = {running: true};
        else if (e.kind === 'crash') state = {running: false};
        else if (e.state) state = {...state, ...e.state};
        else continue;
        lane.states.push({at: e.t, place: i, state, changed: Object.keys(e.state || {})});
      }
    }
  }

  stateAt(lane, time) {
    const after = lowerBound(lane.states, time + 0.5, (s) => s.at);
    return lane.states[Math.max(after - 1, 0)];
  }

  /// What lasts: roles on nodes, operations, faults.
  indexSpans() {
    for (const lane of this.nodes) {
      lane.roles = [];
      for (const s of lane.states) {
        const role = s.state.running ? s.state.role || 'follower' : 'down';
        const term = s.state.term || 0, last = lane.roles.at(-1);
        if (last && last.role === role && last.term === term) continue;
        if (last) last.end = s.at;
        lane.roles.push({begin: s.at, end: this.end, role, term});
      }
    }
    for (const lane of this.lanes) lane.calls = [];
    this.faults = [];
    const open = new Map();
    for (let i = 0; i < this.size; ++i) {
      const e = this.events[i], lane = this.laneOf[i];
      if (e.kind === 'call') {
        const key = lane + ' ' + (e.values?.edit ?? e.values?.call ?? '');
        if (open.has(key)) continue;   // a further part of the same
        const span = {begin: e.t, end: this.end, place: i, ended: false, failed: false};
        open.set(key, span);
        this.lanes[lane].calls.push(span);
      } else if (e.kind === 'done') {
        const key = lane + ' ' + (e.values?.edit ?? e.values?.call ?? '');
        const span = open.get(key);
        if (!span) continue;
        open.delete(key);
        Object.assign(span, {end: e.t, ended: true, failed: e.text.startsWith('given up')});
      } else if (e.kind === 'fault') {
        const lasts = e.values?.lasts || 0;
        const nodes = String(e.values?.nodes ?? '').split(' ').filter(Boolean).map((n) => this.laneByName.get('node' + n)).filter(Boolean);
        this.faults.push({begin: e.t, end: Math.min(e.t + lasts, this.end), name: e.values?.fault || 'fault', nodes, place: i});
      }
    }
  }

  /// What an event follows from, itself included: a mark for each, and how many on each lane (its vector clock).
  pastOf(place) {
    const marks = new Uint8Array(this.size), count = new Map();
    const todo = [place];
    marks[place] = 1;
    while (todo.length) {
      const i = todo.pop();
      const lane = this.lanes[this.laneOf[i]].name;
      count.set(lane, (count.get(lane) || 0) + 1);
      for (const p of this.parentsOf(i))
        if (p !== NONE && !marks[p]) {
          marks[p] = 1;
          todo.push(p);
        }
    }
    return {marks, count};
  }

  /// The last things that led to an event, the latest first: at each the parent that came last. What somebody outside did
  /// is where it began.
  storyOf(place, length) {
    const story = [];
    for (let i = place; i !== NONE && story.length < length;) {
      story.push(i);
      if (this.events[i].kind === 'call') break;
      let latest = NONE;
      for (const p of this.parentsOf(i)) if (p > latest) latest = p;
      i = latest;
    }
    return story;
  }
}
