// What of a collection is shown: a query, a sort, and filters by access.
import { h, icon, clear } from './dom.js';
import { button, field, iconButton } from './ui.js';
import { jsonFault } from './json.js';
import { groupPicker, resolve, userPicker } from './names.js';

/** @typedef {{query: string, sort: string, filter: string, user: string, group: string}} View */

/** The filters by access, as the server calls them. */
export const filters = [
  { id: 'readable', label: 'Readable by', of: 'user' }, { id: 'writable', label: 'Writable by', of: 'user' },
  { id: 'owned', label: 'Owned by', of: 'user' }, { id: 'shared', label: 'Shared with group', of: 'group' },
  { id: 'overrides', label: 'Overrides the level', of: '' },
];

/**
 * Reads a query as it is typed. The answer is what is sent, or says what is wrong.
 * @param {string} text
 * @returns {{query?: any, error?: string}}
 */
export function readQuery(text) {
  const t = text.trim();
  if (!t) return { query: undefined };
  if (!t.startsWith('{')) return { error: 'A query is a JSON object, such as {"price":{"$gt":100}}.' };
  try { return { query: JSON.parse(t) }; } catch { return { error: `This is no JSON yet: ${jsonFault(t)}.` }; }
}

/**
 * The sort as the server takes it: "price", "-price", "a,-b" or a JSON object.
 * @param {string} text
 * @returns {{sort?: any, error?: string}}
 */
export function readSort(text) {
  const t = text.trim();
  if (!t) return {};
  if (t.startsWith('{')) {
    try { return { sort: JSON.parse(t) }; } catch { return { error: `The sort is no JSON yet: ${jsonFault(t)}.` }; }
  }
  /** @type {Record<string, number>} */
  const sort = Object.create(null);
  for (const part of t.split(',').map((p) => p.trim())) {
    if (!part || part === '-') return { error: 'A sort is a list of fields, such as price,-_kmd.lmt.' };
    if (part.startsWith('-')) sort[part.slice(1)] = -1; else sort[part] = 1;
  }
  return { sort };
}

/**
 * The bar above the records. changed gets what is to be shown.
 * @param {import('./route.js').Context} ctx
 * @param {View} view  as it is shown
 * @param {(v: View) => void} changed
 */
export function filterBar(ctx, view, changed) {
  const problem = h('p', { class: 'query-problem', role: 'alert', id: 'query-problem' });
  const query = h('input', { type: 'text', class: 'mono', value: view.query, placeholder: '{"price":{"$gt":100}}', autocomplete: 'off', spellcheck: 'false', enterkeyhint: 'search', 'aria-describedby': 'query-problem', oninput: () => check(true) });
  const sort = h('input', { type: 'text', class: 'mono', value: view.sort, placeholder: '-_kmd.lmt', autocomplete: 'off', spellcheck: 'false' });
  /** @param {boolean} typing only takes back what was said */
  const check = (typing) => {
    const q = readQuery(query.value), s = readSort(sort.value);
    const error = q.error ?? s.error ?? '';
    if (!typing || !error) {
      problem.textContent = error;
      query.setAttribute('aria-invalid', String(Boolean(q.error)));
      sort.setAttribute('aria-invalid', String(Boolean(s.error)));
    }
    return !error;
  };
  const form = h('form', {
    class: 'query-bar', role: 'search', novalidate: true, 'aria-label': 'Records',
    onsubmit: (/** @type {Event} */ e) => { e.preventDefault(); if (check(false)) changed({ ...view, query: query.value.trim(), sort: sort.value.trim() }); },
  }, field('Query', query), field('Sort', sort),
  h('div', { class: 'query-buttons' }, button('Run', { type: 'submit', icon: 'search', kind: 'primary' }),
    (view.query || view.sort) && button('Clear', { kind: 'quiet', onclick: () => changed({ ...view, query: '', sort: '' }) })));
  return h('div', { class: 'stack tight' }, form, problem, !ctx.seenAs && byAccess(ctx, view, changed));
}

/**
 * @param {import('./route.js').Context} ctx
 * @param {View} view
 * @param {(v: View) => void} changed
 */
function byAccess(ctx, view, changed) {
  const chosen = filters.find((f) => f.id === view.filter);
  const slot = h('span', { class: 'filter-who' });
  const select = h('select', { 'aria-label': 'Filter by access', onchange: () => {
    const f = filters.find((x) => x.id === select.value);
    if (!f || !f.of) changed({ ...view, filter: f?.id ?? '', user: '', group: '' });
    else ask(f);
  } }, h('option', { value: '' }, 'All records'), filters.map((f) => h('option', { value: f.id, selected: f.id === view.filter }, f.of ? `${f.label} …` : f.label)));
  /** @param {{id: string, label: string, of: string}} f @param {string} [value] */
  const ask = (f, value = '') => {
    const o = { label: f.label, value, cleared: () => { if (view.filter) changed({ ...view, filter: '', user: '', group: '' }); } };
    clear(slot, f.of === 'user' ? userPicker(ctx.kid, { ...o, chosen: (u) => { changed({ ...view, filter: f.id, user: u.id, group: '' }); return u.label; } })
      : groupPicker(ctx.kid, { ...o, chosen: (g) => { changed({ ...view, filter: f.id, user: '', group: g.id }); return g.label; } }));
    if (!value) slot.querySelector('input')?.focus();
  };
  if (chosen?.of === 'group') ask(chosen, view.group);
  if (chosen?.of === 'user') {
    ask(chosen, view.user);
    resolve(ctx.kid, [view.user]).then((m) => { const i = slot.querySelector('input'); const n = m.get(view.user); if (i && n && i.value === view.user) i.value = n; }, () => {});
  }
  return h('div', { class: 'filter-bar' }, h('span', { class: 'filter-label' }, icon('filter'), 'Access'), select, slot,
    chosen && iconButton('close', 'Take the filter away', { onclick: () => changed({ ...view, filter: '', user: '', group: '' }) }));
}
