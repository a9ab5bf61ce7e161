// Access: why somebody may do something, who can, and what is perhaps not meant.
import { api, env } from './api.js';
import { clear, h } from './dom.js';
import { groupName, userName, userPicker } from './names.js';
import { href } from './route.js';
import { badge, button, card, count, empty, field, fill, page, table, tabs } from './ui.js';
import { visibleTable } from './users.js';
import { rights, whoCanList, whyPanel } from './why.js';

/** @typedef {import('./route.js').Context} Context */
/** @typedef {{kind: string, severity: 'warn' | 'info', collection?: string, group?: string, count: number, samples: string[], text: string}} Finding */

/** @param {HTMLElement} main @param {Context} ctx */
export async function show(main, ctx) {
  const names = /** @type {{name: string}[]} */ (await api.get(env(ctx.kid, 'collections'), { signal: ctx.signal })).map((c) => c.name);
  if (ctx.signal.aborted) return;
  const body = page(main, { title: 'Access', sub: 'Why somebody may, or may not; who can; and what is open that perhaps should not be. Answered by the code that enforces it.' });
  body.append(tabs([
    { id: 'why', label: 'Why?', show: (panel) => why(panel, ctx, names) },
    { id: 'who', label: 'Who can?', show: (panel) => whoCan(panel, ctx, names) },
    { id: 'sees', label: 'What a user can read', show: (panel) => sees(panel, ctx) },
    { id: 'lint', label: 'Findings', show: (panel) => lint(panel, ctx) },
  ], { label: 'Access' }).el);
}

/** A choice of a collection. @param {string[]} names */
function collections(names) { return h('select', null, names.map((n) => h('option', { value: n }, n))); }

/** @param {HTMLElement} panel @param {Context} ctx @param {string[]} names */
function why(panel, ctx, names) {
  const collection = collections(names);
  const right = h('select', null, rights.map((r) => h('option', { value: r.id }, r.verb)));
  const id = h('input', { type: 'text', class: 'mono', autocomplete: 'off', spellcheck: 'false' });
  const answer = h('div', { class: 'stack' });
  let user = '';
  const form = h('form', {
    class: 'stack', novalidate: true,
    onsubmit: (/** @type {Event} */ e) => {
      e.preventDefault();
      const create = right.value === 'create';
      if (!user || !collection.value || (!create && !id.value.trim())) { clear(answer, h('p', { role: 'alert' }, 'A user, a collection and the _id of a record are needed.')); return; }
      clear(answer, whyPanel(ctx, { user, right: right.value, collection: collection.value, id: create ? undefined : id.value.trim() }));
    },
  }, h('div', { class: 'field-row' },
    field('User', userPicker(ctx.kid, { label: 'User', chosen: (u) => { user = u.id; return u.label; }, cleared: () => { user = ''; } })),
    field('May, or may not,', right), field('Collection', collection), field('Record (_id)', id)), h('div', { class: 'row' }, button('Ask why', { kind: 'primary', type: 'submit' })));
  clear(panel, h('div', { class: 'stack' }, form, answer));
}

/** @param {HTMLElement} panel @param {Context} ctx @param {string[]} names */
function whoCan(panel, ctx, names) {
  const collection = collections(names);
  const right = h('select', null, rights.filter((r) => r.id === 'read' || r.id === 'write').map((r) => h('option', { value: r.id }, r.verb)));
  const id = h('input', { type: 'text', class: 'mono', autocomplete: 'off', spellcheck: 'false' });
  const answer = h('div', { class: 'stack' });
  const form = h('form', {
    class: 'stack', novalidate: true,
    onsubmit: (/** @type {Event} */ e) => {
      e.preventDefault();
      if (!collection.value || !id.value.trim()) { clear(answer, h('p', { role: 'alert' }, 'A collection and the _id of a record are needed.')); return; }
      const of = { collection: collection.value, id: id.value.trim(), right: right.value };
      const reason = h('div', { class: 'stack' });
      clear(answer, whoCanList(ctx, { ...of, why: (u) => { clear(reason, whyPanel(ctx, { ...of, user: u._id })); reason.scrollIntoView({ block: 'nearest' }); } }), reason);
    },
  }, h('div', { class: 'field-row' }, field('Who can', right), field('Collection', collection), field('Record (_id)', id)), h('div', { class: 'row' }, button('List them', { kind: 'primary', type: 'submit' })));
  clear(panel, h('div', { class: 'stack' }, form, answer));
}

/** @param {HTMLElement} panel @param {Context} ctx */
function sees(panel, ctx) {
  const answer = h('div', { class: 'stack' });
  const picker = userPicker(ctx.kid, {
    label: 'User', chosen: (u) => {
      fill(answer, async () => [visibleTable(ctx, await api.get(env(ctx.kid, 'visible'), { params: { user: u.id }, signal: ctx.signal }), u.id)], ctx.signal);
      return u.label;
    },
  });
  clear(panel, h('div', { class: 'stack' }, h('div', { class: 'field-row' }, field('User', picker)), answer));
}

/** @param {HTMLElement} panel @param {Context} ctx */
function lint(panel, ctx) {
  fill(panel, async () => {
    const { findings } = await api.get(env(ctx.kid, 'lint'), { signal: ctx.signal });
    if (!findings.length) return empty({ icon: 'check', title: 'Nothing was found', text: 'No collection is open to writing by all, and no record names users or groups that are gone.' });
    return card({ title: 'What is allowed, and perhaps not meant' }, table({
      label: 'Findings', rows: /** @type {Finding[]} */ (findings),
      columns: [
        { label: 'Weight', cell: (f) => badge(f.severity === 'warn' ? 'Warning' : 'Note', f.severity === 'warn' ? { kind: 'warn', icon: 'warn' } : { icon: 'info' }) },
        { label: 'Where', cell: (f) => (f.collection ? h('a', { href: href(ctx.kid, f.kind === 'full-collection' ? 'settings' : 'data', [f.collection]) }, f.collection) : f.group ? h('a', { href: href(ctx.kid, 'groups', [f.group]) }, groupName(f.group)) : '') },
        { label: 'What', cell: (f) => f.text },
        { label: 'How many', class: 'number', cell: (f) => count(f.count) },
        { label: 'Such as', class: 'mono', cell: (f) => h('span', { class: 'long-text' }, f.samples.slice(0, 3).map((s, i) => [i > 0 && ', ', f.kind === 'dangling-user' && !f.collection ? userName(ctx.kid, s) : s])) },
      ],
    }));
  }, ctx.signal);
}
