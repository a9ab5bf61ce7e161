// The records of a collection: what is asked for, the grid, and what is done with those
// that are marked.
import { api, env, mayEdit, path } from './api.js';
import { clear, h, refill } from './dom.js';
import { button, choice, confirm, empty, errorBox, iconButton, levelBadge, loading, menu, page, pager, plural, toast } from './ui.js';
import { href, note } from './route.js';
import { filterBar, readQuery, readSort } from './filters.js';
import { columnsOf, columnMenu, grid, jsonList } from './grid.js';
import { exportAll, exportRows } from './export.js';
import { bulkAccess } from './bulk.js';
import { createRecord, openRecord } from './record.js';
import { seeAs } from './data.js';

/** @typedef {import('./acl.js').Entity} Entity */
/** @typedef {import('./route.js').Context} Context */

const limits = [25, 50, 100, 250];

/**
 * @param {HTMLElement} main
 * @param {Context} ctx
 * @param {string} name
 */
export async function showCollection(main, ctx, name) {
  const about = await describe(ctx, name);
  if (ctx.signal.aborted) return;
  const edit = mayEdit(ctx) && !ctx.seenAs;
  /** @type {import('./filters.js').View} */
  let view = { query: '', sort: '', filter: '', user: '', group: '' };
  let skip = 0, limit = 50, as = 'table';
  /** @type {Map<string, Entity>} */
  const marked = new Map();
  let rows = /** @type {Entity[]} */ ([]);
  let total = /** @type {number | undefined} */ (undefined);
  let asked = new AbortController();

  const more = menu(button('More', { icon: 'more', class: 'button' }), () => [
    { label: 'Export the result', note: 'NDJSON, a record a line', icon: 'download', run: () => exportAll(ctx, name, source(), total) },
    ...(edit && !view.filter ? [{ label: 'Change access of the result', note: 'with a dry run before', icon: 'access', run: () => bulkAccess(ctx, about, { query: readQuery(view.query).query ?? {}, said: view.query ? 'all records that match the query' : 'all records of the collection' }, load) }] : []),
    ...(ctx.seenAs ? [] : [{ label: 'See as a user', icon: 'eye', run: () => seeAs(ctx) }])]);
  const body = page(main, {
    crumbs: [h('a', { href: href(ctx.kid, 'data', [], { as: ctx.seenAs }) }, 'Data')],
    title: [name, levelBadge(about.level)],
    actions: [!ctx.seenAs && h('a', { class: 'button', href: href(ctx.kid, 'settings', [name]) }, 'Settings'), more,
      edit && button('Create record', { kind: 'primary', icon: 'plus', onclick: () => createRecord(ctx, about, load) })],
  });
  const bar = h('div'), tools = h('div', { class: 'grid-tools' }), list = h('div', { class: 'grid-list', 'aria-live': 'off' }), pages = h('div');
  body.append(bar, tools, list, pages);

  /** Takes what is to be shown from the address. */
  function fromAddress() {
    const p = ctx.params;
    const get = (/** @type {string} */ n) => p.get(n) ?? '';
    view = { query: get('query'), sort: get('sort'), filter: get('filter'), user: get('user'), group: get('group') };
    skip = Math.max(0, Number(get('skip')) || 0);
    limit = limits.includes(Number(get('limit'))) ? Number(get('limit')) : 50;
    as = get('view') === 'json' ? 'json' : 'table';
  }

  /** The parameters of the rows that are asked for. */
  function source() {
    return { query: readQuery(view.query).query, sort: readSort(view.sort).sort, ...(ctx.seenAs ? {} : { filter: view.filter, user: view.user, group: view.group }) };
  }

  /** @param {Partial<import('./filters.js').View>} change @param {number} [to] */
  function turn(change, to = 0) {
    const sameRows = ['query', 'filter', 'user', 'group'].every((k) => !(k in change) || /** @type {any} */ (change)[k] === /** @type {any} */ (view)[k]);
    if (!sameRows) { marked.clear(); total = undefined; }
    view = { ...view, ...change };
    skip = to;
    note(ctx, { ...view, skip: skip || '', limit: limit === 50 ? '' : limit, view: as === 'json' ? as : '' }, true);
    load();
  }

  async function load() {
    asked.abort();
    asked = new AbortController();
    const signal = AbortSignal.any([asked.signal, ctx.signal]);
    refill(bar, filterBar(ctx, view, (v) => turn(v)));
    const wait = setTimeout(() => { if (!rows.length) clear(list, loading()); list.setAttribute('aria-busy', 'true'); }, 200);
    try {
      const wrong = readQuery(view.query).error ?? readSort(view.sort).error;
      if (wrong) throw new Error(wrong);
      // One more than is shown tells whether there is a next page before the count does.
      rows = await fetchRows(ctx, name, { ...source(), skip, limit: limit + 1 }, signal);
      if (signal.aborted) return;
      drawRows();
      total = await countRows(ctx, name, source(), signal);
      if (!signal.aborted) drawPages();
    } catch (e) {
      if (signal.aborted) return;
      rows = [];
      clear(list, errorBox(e));
      clear(pages);
      clear(tools);
    } finally {
      clearTimeout(wait);
      list.removeAttribute('aria-busy');
    }
  }

  function drawRows() {
    const page = rows.slice(0, limit);
    const columns = columnsOf(page);
    drawTools(columns);
    drawPages();
    if (!page.length) { clear(list, nothing()); return; }
    if (as === 'json') { clear(list, jsonList(page)); return; }
    refill(list, grid(ctx, about, page, columns, {
      marked: edit || !ctx.seenAs ? marked : undefined, onmark: () => drawTools(columns), open,
      sort: view.sort, onsort: (sort) => turn({ sort }),
    }));
  }

  function nothing() {
    if (view.query || view.filter) return empty({ icon: 'search', title: 'No record matches', text: 'Nothing in this collection is as the query and the filter want it.', actions: button('Show all records', { onclick: () => turn({ query: '', filter: '', user: '', group: '' }) }) });
    if (ctx.seenAs) return empty({ icon: 'eye', title: 'This user sees nothing here', text: 'To this user the collection is empty. The Access page says why of any record.' });
    if (skip) return empty({ icon: 'data', title: 'There is nothing on this page', actions: button('Go to the first page', { onclick: () => turn({}, 0) }) });
    return empty({
      icon: 'data', title: 'There is no record yet', text: 'Users of the app make records, and so does this line:',
      line: `curl -u USER:PASSWORD -H 'Content-Type: application/json' \\\n  -d '{"text":"hello"}' '${ctx.origin}/${path('appdata', ctx.kid, name)}'`,
      actions: edit && button('Create record', { kind: 'primary', icon: 'plus', onclick: () => createRecord(ctx, about, load) }),
    });
  }

  /** @param {string[]} columns */
  function drawTools(columns) {
    const n = marked.size;
    tools.classList.toggle('marked', n > 0);
    if (n) {
      clear(tools, h('p', { class: 'marked-count', role: 'status' }, h('strong', null, `${plural(n, 'record')} selected`)),
        edit && button('Change access', { icon: 'access', class: 'button small', onclick: () => bulkAccess(ctx, about, { query: { _id: { $in: [...marked.keys()] } }, said: plural(n, 'selected record') }, done) }),
        button('Export', { icon: 'download', class: 'button small', onclick: () => exportRows(name, [...marked.values()]) }),
        edit && button('Delete', { icon: 'trash', class: 'button small danger', onclick: removeMarked }),
        button('Clear selection', { class: 'button small quiet', onclick: () => { marked.clear(); drawRows(); } }));
      return;
    }
    refill(tools, choice({
      label: 'View', value: as, options: [{ value: 'table', label: 'Table', icon: 'columns' }, { value: 'json', label: 'JSON', icon: 'braces' }],
      onchange: (v) => { as = v; note(ctx, { view: v === 'json' ? v : '' }); drawRows(); },
    }), as === 'table' && rows.length > 0 && columnMenu(ctx, name, columns, drawRows), h('span', { class: 'grow' }),
    iconButton('refresh', 'Load again', { onclick: load }));
  }

  function drawPages() {
    const shown = Math.min(rows.length, limit);
    refill(pages, (shown > 0 || skip > 0) && pager({
      skip, limit, shown, total, more: rows.length > limit, go: (to) => turn({}, to), limits,
      onlimit: (n) => { limit = n; turn({}, 0); },
    }));
  }

  function done() { marked.clear(); drawRows(); load(); }

  async function removeMarked() {
    const ids = [...marked.keys()];
    const yes = await confirm({ title: `Delete ${plural(ids.length, 'record')}?`, body: h('p', null, 'They are gone for all users at once. Only a backup brings them back.'), action: 'Delete', danger: true });
    if (!yes) return;
    try {
      const got = await api.del(path('appdata', ctx.kid, name), { params: { query: { _id: { $in: ids } } } });
      toast(`${plural(got?.count ?? ids.length, 'record')} deleted`);
      done();
    } catch (e) { tools.after(errorBox(e)); }
  }

  /** @param {string} id @param {string} [tab] */
  async function open(id, tab) {
    note(ctx, { id });
    await openRecord(ctx, about, id, { tab, changed: load });
    if (!ctx.signal.aborted) note(ctx, { id: '' });
    focusRow(list, id);
  }

  fromAddress();
  const id = ctx.params.get('id');
  await load();
  if (id && !ctx.signal.aborted) open(id);
}

/** @param {HTMLElement} list @param {string} id */
function focusRow(list, id) {
  const link = /** @type {HTMLElement[]} */ ([...list.querySelectorAll('.row-link')]).find((l) => l.dataset.id === id || l.textContent === id);
  link?.focus();
}

/**
 * @param {Context} ctx
 * @param {string} name
 * @returns {Promise<{name: string, level: string}>}
 */
async function describe(ctx, name) {
  const got = await api.get(env(ctx.kid, 'collections', name), { signal: ctx.signal });
  return { ...got, name, level: levelIn(got) };
}

/** The level of a collection, whichever form its permissions have. @param {any} c */
export function levelIn(c) {
  if (typeof c.level === 'string') return c.level;
  if (typeof c.permissions === 'string') return c.permissions;
  const all = (/** @type {string} */ act) => c.permissions?.[act]?.find((/** @type {any} */ r) => r.roleId === 'all-users')?.type;
  if (all('create') === 'never') return 'read-only';
  if (all('update') === 'always') return 'write';
  return all('read') === 'always' ? 'append-read' : 'append-only';
}

/**
 * @param {Context} ctx
 * @param {string} name
 * @param {Record<string, any>} params
 * @param {AbortSignal} [signal]
 * @returns {Promise<Entity[]>}
 */
export async function fetchRows(ctx, name, params, signal) {
  if (!ctx.seenAs) return api.get(env(ctx.kid, 'collections', name, 'entities'), { params, signal });
  return api.get(path('appdata', ctx.kid, name), { params: { ...params, query: params.query ?? {} }, signal, seenAs: ctx.seenAs });
}

/**
 * @param {Context} ctx
 * @param {string} name
 * @param {Record<string, any>} params
 * @param {AbortSignal} signal
 * @returns {Promise<number>}
 */
async function countRows(ctx, name, params, signal) {
  const { sort: _, ...of } = params;
  if (!ctx.seenAs) return (await api.get(env(ctx.kid, 'collections', name, 'entities'), { params: { ...of, count: true }, signal })).count;
  return (await api.get(path('appdata', ctx.kid, name, '_count'), { params: { query: of.query ?? {} }, signal, seenAs: ctx.seenAs })).count;
}

