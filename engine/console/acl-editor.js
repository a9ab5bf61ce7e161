// Who has access to one record: shown with the reasons, and changed with a look at the
// effect before.
import { api, env, mayEdit } from './api.js';
import { clear, h } from './dom.js';
import { alert, button, dialog, errorBox, field, iconButton, levelBadge, levelOf, loading, switch3, tabs, toast } from './ui.js';
import { groupName, principalPicker, userName, userPicker } from './names.js';
import { readAcl, wireAcl } from './acl.js';
import { effectView } from './effect.js';
import { rights, whoCanList, whyPanel } from './why.js';

/** @typedef {import('./acl.js').Acl} Acl */
/** @typedef {import('./route.js').Context} Context */

/**
 * A user or a group with its icon.
 * @param {string} kid
 * @param {'user' | 'group'} kind
 * @param {string} id
 * @param {string} [label]
 */
export function principal(kid, kind, id, label) { return kind === 'user' ? userName(kid, id, { icon: true, known: label }) : groupName(id); }

/**
 * The editor of the access of a record. saved is called with the record changed.
 * @param {Context} ctx
 * @param {{about: {name: string, level: string}, entity: import('./acl.js').Entity, signal: AbortSignal, saved: () => any, dirty?: (on: boolean) => void}} o
 * @returns {HTMLElement}
 */
export function aclEditor(ctx, { about, entity, signal, saved, dirty }) {
  const before = readAcl(entity._acl);
  let acl = readAcl(entity._acl);
  const level = levelOf(about.level);
  const edit = mayEdit(ctx) && !ctx.seenAs;
  const el = h('div', { class: 'acl stack' }), form = h('div', { class: 'stack' }), effect = h('div', { class: 'acl-effect stack tight', 'aria-live': 'polite' });
  let asking = new AbortController();
  /** @type {any} */
  let wait;

  const same = () => JSON.stringify(normal(acl)) === JSON.stringify(normal(before));

  function changed() {
    draw();
    dirty?.(!same());
    clearTimeout(wait);
    asking.abort();
    if (same()) { clear(effect); return; }
    clear(effect, h('h3', null, 'What this would do'), loading('Counting'));
    wait = setTimeout(preview, 250);
  }

  async function preview() {
    asking = new AbortController();
    try {
      const got = await api.post(env(ctx.kid, 'collections', about.name, 'preview'), { _id: entity._id, _acl: wireAcl(acl) }, { signal: AbortSignal.any([asking.signal, signal]) });
      if (asking.signal.aborted) return;
      clear(effect, h('h3', null, 'What this would do'), effectView(ctx.kid, got),
        h('div', { class: 'row' }, button('Save access', { kind: 'primary', onclick: save }), button('Discard', { onclick: () => { acl = readAcl(entity._acl); changed(); } })));
    } catch (e) { if (!asking.signal.aborted && !signal.aborted) clear(effect, errorBox(e)); }
  }

  async function save() {
    try {
      await api.post(env(ctx.kid, 'collections', about.name, 'bulk-acl'), { query: { _id: entity._id }, change: { acl: wireAcl(acl) }, dryRun: false }, { signal });
      dirty?.(false);
      toast(`Access of ${entity._id} saved`);
      await saved();
    } catch (e) { if (!signal.aborted) effect.append(errorBox(e)); }
  }

  /** Everybody who is named, once, in the order of the lists. */
  function named() {
    /** @type {{kind: 'user' | 'group', id: string, r: boolean, w: boolean}[]} */
    const rows = [];
    const add = (/** @type {'user' | 'group'} */ kind, /** @type {string[]} */ r, /** @type {string[]} */ w) => { for (const id of new Set([...r, ...w])) rows.push({ kind, id, r: r.includes(id), w: w.includes(id) }); };
    add('user', acl.r, acl.w);
    add('group', acl.groups.r, acl.groups.w);
    return rows;
  }

  /** @param {'user' | 'group'} kind @param {string} id @param {'r' | 'w'} right @param {boolean} on */
  function grant(kind, id, right, on) {
    const of = kind === 'user' ? acl : acl.groups;
    of[right] = on ? [...new Set([...of[right], id])] : of[right].filter((x) => x !== id);
  }

  function draw() {
    const had = document.activeElement, key = had && form.contains(had) ? had.getAttribute('aria-label') ?? had.closest('label')?.textContent : null;
    const rows = named();
    clear(form,
      h('div', { class: 'acl-owner' }, h('div', null, h('h3', null, 'Owner'), h('p', null, userName(ctx.kid, acl.creator, { icon: true }), h('span', { class: 'hint' }, ' always reads, writes, and alone changes the access'))),
        edit && button('Transfer', { class: 'button small', 'aria-label': 'Transfer ownership', onclick: transfer })),
      edit ? [
        switch3({ label: 'Everyone can read', value: acl.gr, follows: level.read, onchange: (v) => { acl.gr = v; changed(); } }),
        switch3({ label: 'Everyone can write', value: acl.gw, follows: level.write, onchange: (v) => { acl.gw = v; changed(); } }),
      ] : h('p', null, `Everyone can read: ${word(acl.gr, level.read)}. Everyone can write: ${word(acl.gw, level.write)}.`),
      h('div', { class: 'stack tight' }, h('h3', null, 'People and groups'),
        rows.length ? h('ul', { class: 'acl-list', role: 'list' }, rows.map((p) => h('li', null, principal(ctx.kid, p.kind, p.id),
          edit ? [box(p, 'r', 'Read'), box(p, 'w', 'Write'), iconButton('close', `Remove ${p.id}`, { onclick: () => { grant(p.kind, p.id, 'r', false); grant(p.kind, p.id, 'w', false); changed(); } })]
            : h('span', null, [p.r && 'Read', p.w && 'Write'].filter(Boolean).join(', ')))))
          : h('p', { class: 'hint' }, 'Nobody is named besides the owner.'),
        edit && principalPicker(ctx.kid, { label: 'Add people or groups', chosen: (p) => { grant(p.kind, p.id, 'r', true); changed(); } }),
        edit && h('p', { class: 'hint' }, 'Writing includes deleting, and does not imply reading.')));
    if (key) /** @type {HTMLElement[]} */ ([...form.querySelectorAll('button, input')]).find((x) => (x.getAttribute('aria-label') ?? x.closest('label')?.textContent) === key)?.focus();
  }

  /** @param {{kind: 'user' | 'group', id: string, r: boolean, w: boolean}} p @param {'r' | 'w'} right @param {string} label */
  function box(p, right, label) {
    return h('label', { class: 'check' }, h('input', { type: 'checkbox', checked: p[right], 'aria-label': `${label} for ${p.id}`, onchange: (/** @type {Event} */ e) => {
      const on = /** @type {HTMLInputElement} */ (e.target).checked;
      // Who is left with nothing stays in the list no longer.
      grant(p.kind, p.id, right, on);
      changed();
    } }), label);
  }

  function transfer() {
    const d = dialog({
      title: 'Transfer ownership', signal,
      body: [h('p', null, 'The new owner always reads and writes this record, and alone changes its access. Nothing is saved before you have seen the effect.'),
        field('New owner', userPicker(ctx.kid, { label: 'New owner', chosen: (u) => { acl.creator = u.id; d.close(); changed(); } }))],
    });
  }

  draw();
  const who = h('div', { class: 'stack' });
  el.append(h('p', { class: 'acl-level' }, 'The collection is ', levelBadge(about.level), h('span', { class: 'hint' }, `${level.long}. What a record says goes before it.`)), form, effect,
    h('section', { class: 'stack tight', 'aria-label': 'Effective access' }, h('h3', null, 'Effective access, as saved'), who));
  if (!edit) el.prepend(alert('info', h('p', null, ctx.seenAs ? 'Seen as a user, nothing can be changed.' : `Your role, ${ctx.session.role}, may look at this and not change it.`)));
  if (ctx.seenAs) return el;
  const reason = h('div', { class: 'stack' });
  who.append(tabs([{ id: 'read', label: 'Who can read' }, { id: 'write', label: 'Who can write' }, { id: 'why', label: 'Why?' }].map((t) => ({
    ...t,
    show: (/** @type {HTMLElement} */ panel) => t.id === 'why' ? panel.append(askWhy(ctx, about.name, entity._id), reason)
      : panel.append(whoCanList(ctx, { collection: about.name, id: entity._id, right: t.id, why: (u) => { clear(reason, h('h3', null, `Why ${u.username || u._id}?`), whyPanel(ctx, { user: u._id, right: t.id, collection: about.name, id: entity._id })); reason.scrollIntoView({ block: 'nearest' }); } }), clear(reason)),
  })), { label: 'Effective access' }).el);
  return el;
}

/**
 * Asks why one user may, or may not.
 * @param {Context} ctx
 * @param {string} collection
 * @param {string} id
 */
function askWhy(ctx, collection, id) {
  const answer = h('div', { class: 'stack' });
  const right = h('select', null, rights.filter((r) => r.id !== 'create').map((r) => h('option', { value: r.id }, `Why may, or may not, … ${r.verb} it?`)));
  let user = '';
  const ask = () => { if (user) clear(answer, whyPanel(ctx, { user, right: right.value, collection, id })); };
  right.addEventListener('change', ask);
  return h('div', { class: 'stack' }, h('div', { class: 'field-row' }, field('User', userPicker(ctx.kid, { label: 'User', chosen: (u) => { user = u.id; ask(); return u.label; } })), field('Question', right)), answer);
}

/** @param {boolean | undefined} v @param {boolean} follows */
function word(v, follows) { return v === undefined ? `follows the collection (currently: ${follows ? 'yes' : 'no'})` : v ? 'always' : 'never'; }

/** The same for two that say the same. @param {Acl} a */
function normal(a) {
  const sorted = (/** @type {string[]} */ l) => [...new Set(l)].sort();
  return [a.creator, a.gr ?? null, a.gw ?? null, sorted(a.r), sorted(a.w), sorted(a.groups.r), sorted(a.groups.w)];
}

