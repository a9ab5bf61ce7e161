// Activity: the last requests with what was decided about them, and the audit.
import { api } from './api.js';
import { brief, changes } from './diff.js';
import { clear, h, refill } from './dom.js';
import { userName } from './names.js';
import { note } from './route.js';
import { ago, alert, badge, button, code, count, dialog, empty, errorBox, facts, fill, page, plural, searchBox, table, tabs, toggle } from './ui.js';
import { whyPanel } from './why.js';

/** @typedef {import('./route.js').Context} Context */
/** @typedef {{n: number, at: string, request: string, method: string, path: string, app?: string, status: number, ms: number, who: {role: string, _id?: string, username?: string}, decision: string, why?: {collection: string, id?: string, right: string}, debug?: string}} Logged */
/** @typedef {{n: number, at: string, kind: string, by: string, via?: string, act: string, app?: string, collection?: string, item?: string, request?: string, network?: string, before?: any, after?: any, count?: number}} Line */

const every = 2000; // ms between looks at the log
const most = 200; // requests that are shown

/** @param {HTMLElement} main @param {Context} ctx */
export async function show(main, ctx) {
  const body = page(main, { title: 'Activity', sub: 'What is asked of this app and what was decided, and what was changed by whom.' });
  body.append(tabs([
    { id: 'requests', label: 'Requests', show: (panel) => requests(panel, ctx) },
    { id: 'audit', label: 'Audit', show: (panel) => audit(panel, ctx) },
  ], { label: 'Activity', chosen: ctx.params.get('tab') ?? '', onchange: (tab) => note(ctx, { tab: tab === 'audit' ? tab : '' }) }).el);
}

/** @param {HTMLElement} panel @param {Context} ctx */
function requests(panel, ctx) {
  let rows = /** @type {Logged[]} */ ([]);
  let last = 0, failed = false, paused = false;
  const list = h('div', { class: 'stack' }), problem = h('div');
  const pause = button('Pause', { onclick: () => { paused = !paused; pause.textContent = paused ? 'Go on' : 'Pause'; } });
  clear(panel, h('div', { class: 'stack' }, h('div', { class: 'toolbar' },
    toggle({ label: 'Only refused and failed ones', checked: failed, onchange: (on) => { failed = on; draw(); } }), pause), problem, list));
  const draw = () => {
    const shown = rows.filter((r) => !failed || refused(r));
    if (!shown.length) {
      clear(list, empty({ icon: 'activity', title: 'Nothing was asked yet', text: 'Requests show up here as they come, while somebody looks on; refused ones are kept.', line: `curl -u USER:PASSWORD '${ctx.origin}/appdata/${encodeURIComponent(ctx.kid)}/COLLECTION'` }));
      return;
    }
    refill(list, table({
      label: 'Requests', rows: shown,
      columns: [
        { label: 'When', class: 'nowrap', cell: (r) => ago(r.at) },
        { label: 'Request', class: 'mono', cell: (r) => [h('strong', null, r.method), ' ', h('span', { class: 'long-text' }, r.path)] },
        { label: 'Who', cell: (r) => who(ctx, r) },
        { label: 'Status', cell: (r) => badge(r.status, !refused(r) ? { kind: 'ok', icon: 'check' } : { kind: 'bad', icon: 'cross' }) },
        { label: 'Decision', cell: (r) => r.decision || h('span', { class: 'quiet' }, 'none was needed') },
        { label: 'Time', class: 'number', cell: (r) => `${r.ms.toFixed(1)} ms` },
      ],
      actions: (r) => (r.why && r.who._id ? button('Why?', { class: 'button small', 'aria-label': `Why was ${r.method} ${r.path} decided so?`, onclick: () => why(ctx, r) }) : null),
    }));
  };
  let next = 0;
  const look = async () => {
    if (!paused && !document.hidden) {
      try {
        const got = await api.get('v4/requests', { params: { after: last || undefined, app: ctx.kid }, signal: ctx.signal, idle: true });
        clear(problem);
        // A server that was started anew counts from the beginning.
        if (got.last < last) rows = [];
        last = got.last;
        if (got.list.length || !list.childElementCount) {
          rows = [...got.list.reverse(), ...rows].slice(0, most);
          draw();
        }
      } catch (e) { if (!ctx.signal.aborted) clear(problem, errorBox(e)); }
    }
    if (!ctx.signal.aborted && list.isConnected) next = setTimeout(look, every);
  };
  ctx.signal.addEventListener('abort', () => clearTimeout(next));
  look();
}

/** As the server counts them; 207 is of many, of which some failed. @param {Logged} r */
function refused(r) { return r.status >= 400 || r.status === 207; }

/** @param {Context} ctx @param {Logged} r */
function who(ctx, r) {
  if (r.who.role === 'user' && r.who._id) return userName(ctx.kid, r.who._id, { icon: true, known: r.who.username });
  return r.who.username ? `${r.who.role} ${r.who.username}` : r.who.role;
}

/** @param {Context} ctx @param {Logged} r */
function why(ctx, r) {
  const about = /** @type {{collection: string, id?: string, right: string}} */ (r.why);
  dialog({
    title: `Why ${r.who.username || r.who._id}?`, size: 'wide', signal: ctx.signal,
    body: [h('p', { class: 'mono' }, `${r.method} ${r.path}`), h('p', { class: 'hint' }, 'As it would be decided now.'), whyPanel(ctx, { user: /** @type {string} */ (r.who._id), right: about.right, collection: about.collection, id: about.id })],
  });
}

/** @type {Record<string, {text: string, kind: '' | 'ok' | 'warn' | 'bad' | 'info', icon: string}>} */
const kinds = {
  change: { text: 'Change', kind: 'info', icon: 'pencil' }, login: { text: 'Login', kind: '', icon: 'key' },
  denied: { text: 'Denied', kind: 'bad', icon: 'ban' }, master: { text: 'Master', kind: 'warn', icon: 'key' },
};

/** @param {HTMLElement} panel @param {Context} ctx */
function audit(panel, ctx) {
  const limit = 50;
  let kind = '', before = 0, everywhere = false;
  const like = { act: '', by: '', item: '' };
  const list = h('div', { class: 'stack' }), chain = h('div', { class: 'stack tight' });
  const select = h('select', { 'aria-label': 'Kind of record', onchange: () => { kind = select.value; before = 0; load(); } },
    h('option', { value: '' }, 'All kinds'), Object.entries(kinds).map(([id, k]) => h('option', { value: id }, k.text)));
  const verify = () => fill(chain, async () => {
    const got = await api.get('v4/audit/verify', { signal: ctx.signal });
    if (!got.ok) return alert('error', h('p', { class: 'alert-title' }, `The chain is broken at record ${got.fault?.n}.`), h('p', null, got.fault?.reason));
    return [badge(`${plural(got.records, 'record')}, and the chain is whole`, { kind: 'ok', icon: 'check' }),
      h('p', { class: 'hint' }, 'Who keeps this end of the chain elsewhere can hold the audit against it later:'), code(`postern audit verify --head ${got.head.n}:${got.head.hash}`)];
  }, ctx.signal);
  const search = (/** @type {'act' | 'by' | 'item'} */ name, /** @type {string} */ label) => searchBox({ label, onsearch: (text) => { like[name] = text; before = 0; load(); } });
  clear(panel, h('div', { class: 'stack' },
    h('div', { class: 'toolbar' }, select, search('act', 'What begins with'), search('by', 'Who begins with'), search('item', 'On the id'), button('Verify the chain', { icon: 'check', onclick: verify })),
    toggle({ label: 'Of the whole server', hint: 'Operators, providers and other apps, too.', checked: false, onchange: (on) => { everywhere = on; before = 0; load(); } }), chain, list));
  const load = () => fill(list, async () => {
    const got = await api.get('v4/audit', { params: { app: everywhere ? '' : ctx.kid, kind, ...like, before: before || undefined, limit }, signal: ctx.signal });
    const rows = /** @type {Line[]} */ (got.records);
    // One answer looks at so many records; behind them there may be more that match.
    const older = got.next && button('Older records', { onclick: () => { before = got.next; load(); } });
    if (!rows.length && older) return [h('p', { class: 'quiet' }, `Nothing down to record ${count(got.next)}.`), h('div', { class: 'row' }, older)];
    if (!rows.length) return empty({ icon: 'activity', title: 'Nothing is recorded', text: 'Changes of levels, access, groups, users and settings are recorded here, with what was before and after.' });
    return [
      table({
        label: 'Audit', rows, open: (r) => details(ctx, r),
        columns: [
          { label: 'Record', class: 'mono', cell: (r) => count(r.n) },
          { label: 'When', class: 'nowrap', cell: (r) => ago(r.at) },
          { label: 'Kind', cell: (r) => badge(kinds[r.kind]?.text ?? r.kind, kinds[r.kind]) },
          { label: 'Who', cell: (r) => by(ctx, r) },
          { label: 'What', cell: (r) => [r.act, r.count && r.count > 1 ? ` (${count(r.count)} times)` : ''] },
          { label: 'On', class: 'mono', cell: (r) => [r.collection, r.item].filter(Boolean).join(' / ') },
          { label: 'Change', cell: (r) => diff(r) },
        ],
      }),
      h('div', { class: 'row' }, before > 0 && button('The newest', { onclick: () => { before = 0; load(); } }),
        older),
    ];
  }, ctx.signal);
  load();
}

/** @param {Context} ctx @param {Line} r */
function by(ctx, r) {
  const id = r.by.startsWith('user ') ? r.by.slice(5) : '';
  return id ? userName(ctx.kid, id, { icon: true }) : r.by;
}

/** What changed, a line each. @param {Line} r */
function diff(r) {
  if (r.kind !== 'change') return brief(r.after, 80);
  const all = changes(r.before, r.after);
  return h('ul', { class: 'diff', role: 'list' }, all.slice(0, 6).map((c) => h('li', null, c.path && h('code', null, c.path), ' ', said(c))),
    all.length > 6 && h('li', { class: 'quiet' }, `and ${count(all.length - 6)} more`));
}

/** @param {import('./diff.js').Change} c */
function said(c) {
  if (c.kind === 'list') return [...(c.more ?? []).map((x) => h('ins', null, `+ ${x} `)), ...(c.less ?? []).map((x) => h('del', null, `− ${x} `))];
  return [c.before !== undefined && c.before !== null && h('del', null, brief(c.before, 60)), c.before !== undefined && c.after !== undefined && ' → ', c.after !== undefined && c.after !== null && h('ins', null, brief(c.after, 60))];
}

/** @param {Context} ctx @param {Line} r */
function details(ctx, r) {
  const json = (/** @type {any} */ v) => (v === undefined ? h('p', { class: 'quiet' }, 'Nothing.') : h('pre', { class: 'mono', tabindex: '0' }, JSON.stringify(v, null, 2)));
  dialog({
    title: `Record ${count(r.n)}: ${r.act}`, size: 'wide', signal: ctx.signal,
    body: [facts([['When', h('time', { datetime: r.at }, r.at)], ['Who', by(ctx, r)], ['By way of', r.via ?? '–'], ['Request', h('code', null, r.request ?? '–')], ['Network', r.network ?? '–'], ['On', [r.app, r.collection, r.item].filter(Boolean).join(' / ') || '–']]),
      h('div', { class: 'halves' }, h('div', null, h('h3', null, 'Before'), json(r.before)), h('div', null, h('h3', null, 'After'), json(r.after)))],
  });
}
