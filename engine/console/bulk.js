// The access of many records at once: what is to change, a dry run, and the change in
// parts, each of which is whole.
import { api, env } from './api.js';
import { clear, h } from './dom.js';
import { alert, choice, count, dialog, errorBox, field, loading, plural, toast } from './ui.js';
import { principalPicker, userPicker } from './names.js';
import { effectView } from './effect.js';
import { principal } from './acl-editor.js';

/** @typedef {{kind: 'user' | 'group', id: string, label: string, r: string, w: string}} Line r and w: add, remove or nothing */

/**
 * @param {import('./route.js').Context} ctx
 * @param {{name: string, level: string}} about
 * @param {{query: any, said: string}} of  which records, and how they are called
 * @param {() => void} done
 */
export function bulkAccess(ctx, about, { query, said }, done) {
  /** @type {{gr?: boolean | null, gw?: boolean | null, creator?: string, r?: any, w?: any, groups?: any}} */
  const change = {};
  const lines = /** @type {Line[]} */ ([]);
  const list = h('ul', { class: 'bulk-lines', role: 'list' }), effect = h('div', { class: 'stack tight', 'aria-live': 'polite' });
  let owner = '';
  const three = (/** @type {string} */ label, /** @type {'gr' | 'gw'} */ key) => choice({
    label, value: 'keep', onchange: (v) => { if (v === 'keep') delete change[key]; else change[key] = { follow: null, on: true, off: false }[v]; stale(); },
    options: [{ value: 'keep', label: 'As it is' }, { value: 'follow', label: 'Follow collection' }, { value: 'on', label: 'Always', icon: 'check' }, { value: 'off', label: 'Never', icon: 'cross' }],
  });
  let tried = false; // a dry run was made of what is asked for
  const stale = () => { tried = false; clear(effect, h('p', { class: 'hint' }, 'A dry run says who gains and who loses what before anything is saved.')); };

  function draw() {
    clear(list, lines.map((l) => h('li', null, principal(ctx.kid, l.kind, l.id, l.label),
      /** @type {('r' | 'w')[]} */ (['r', 'w']).map((k) => h('select', { 'aria-label': `${k === 'r' ? 'Read' : 'Write'} for ${l.label}`, onchange: (/** @type {Event} */ e) => { l[k] = /** @type {HTMLSelectElement} */ (e.target).value; stale(); } },
        [['', `${k === 'r' ? 'Read' : 'Write'}: as it is`], ['add', `${k === 'r' ? 'Read' : 'Write'}: give`], ['remove', `${k === 'r' ? 'Read' : 'Write'}: take`]].map(([v, t]) => h('option', { value: v, selected: l[k] === v }, t)))))));
  }

  /** What is asked of the server. */
  function asked() {
    const names = (/** @type {'user' | 'group'} */ kind, /** @type {'r' | 'w'} */ k) => {
      const add = lines.filter((l) => l.kind === kind && l[k] === 'add').map((l) => l.id), remove = lines.filter((l) => l.kind === kind && l[k] === 'remove').map((l) => l.id);
      return add.length + remove.length ? { ...(add.length && { add }), ...(remove.length && { remove }) } : undefined;
    };
    const groups = { r: names('group', 'r'), w: names('group', 'w') };
    const c = { ...change, r: names('user', 'r'), w: names('user', 'w'), groups: groups.r || groups.w ? groups : undefined, creator: owner || undefined };
    if (Object.values(c).every((v) => v === undefined)) throw new Error('Nothing is to change yet.');
    return { query, change: c };
  }

  async function dryRun() {
    const body = asked();
    clear(effect, loading('Counting'));
    try {
      const got = await api.post(env(ctx.kid, 'collections', about.name, 'bulk-acl'), { ...body, dryRun: true }, { signal: ctx.signal });
      clear(effect, h('p', null, h('strong', null, plural(got.changed, 'record')), ` of ${count(got.matched)} would change.`), effectView(ctx.kid, { entities: got.matched, ...got }));
      tried = true;
    } catch (e) { clear(effect, errorBox(e)); }
    effect.scrollIntoView({ block: 'nearest' });
  }

  async function run(/** @type {(v?: any) => void} */ close) {
    const body = asked();
    if (!tried) {
      await dryRun();
      if (tried) effect.append(alert('info', h('p', null, 'This is what it would do. Press “Change access” once more to do it.')));
      return;
    }
    const progress = h('p', { role: 'status' }, 'Changing …');
    clear(effect, progress);
    let matched = 0, changed = 0, after;
    try {
      do {
        const got = await api.post(env(ctx.kid, 'collections', about.name, 'bulk-acl'), { ...body, dryRun: false, after, limit: 1000 }, { signal: ctx.signal });
        matched += got.matched;
        changed += got.changed;
        after = got.next;
        progress.textContent = `${count(changed)} changed …`;
      } while (after);
    } catch (e) {
      if (changed) progress.textContent = `${plural(changed, 'record')} changed before it stopped; done again, it goes on with the rest.`;
      throw e;
    }
    close();
    toast(`Access of ${plural(changed, 'record')} changed`);
    done();
  }

  stale();
  dialog({
    title: 'Change access', size: 'wide', signal: ctx.signal,
    body: [h('p', null, 'Of ', h('strong', null, said), ' in ', h('strong', null, about.name), '.'),
      three('Everyone can read', 'gr'), three('Everyone can write', 'gw'),
      h('div', { class: 'field' }, h('h3', null, 'People and groups'), list, principalPicker(ctx.kid, { label: 'Add people or groups', chosen: (p) => { if (!lines.some((l) => l.kind === p.kind && l.id === p.id)) lines.push({ ...p, r: 'add', w: '' }); draw(); stale(); } })),
      field('New owner', userPicker(ctx.kid, { label: 'New owner', placeholder: 'As it is', chosen: (u) => { owner = u.id; stale(); return u.label; }, cleared: () => { owner = ''; stale(); } }), 'Owners always read and write, and alone may change the access.'),
      effect],
    actions: [{
      label: 'Dry run', run: dryRun,
    }, { label: 'Change access', kind: 'primary', run }],
  });
}
