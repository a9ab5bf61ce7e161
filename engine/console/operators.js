// The operators of the server: who may use this console, and for what.
import { api, mayOwn, path } from './api.js';
import { h } from './dom.js';
import { alert, badge, button, card, confirm, confirmTyped, count, dialog, errorBox, field, fill, iconButton, menu, table, toast } from './ui.js';

/** @typedef {import('./route.js').Context} Context */
/** @typedef {{email: string, role: string, totp: boolean, sessions: number}} Operator */

/** @type {[string, string][]} */
const roles = [['viewer', 'looks at everything but secrets, and changes nothing'], ['editor', 'changes data, users, groups and permissions'], ['owner', 'does everything: apps, secrets, providers, operators']];

/** @param {Context} ctx */
export function operatorsCard(ctx) {
  const body = h('div', { class: 'stack' });
  const own = mayOwn(ctx);
  const again = () => fill(body, async () => list(ctx, await api.get('v4/operators', { signal: ctx.signal }), again), ctx.signal);
  again();
  return card({ title: 'Operators', sub: 'Who may use this console and the management API.', actions: own && button('New operator', { icon: 'plus', onclick: () => add(ctx, again) }) }, body,
    !own && h('p', { class: 'hint' }, `Operators are for owners; your role is ${ctx.session.role}.`));
}

/** @param {Context} ctx @param {Operator[]} rows @param {() => any} again */
function list(ctx, rows, again) {
  return table({
    label: 'Operators', rows,
    columns: [
      { label: 'E-mail', cell: (o) => [o.email, o.email === ctx.session.email && badge('you', { kind: 'info', icon: 'user' })] },
      { label: 'Role', cell: (o) => h('span', { title: roles.find(([r]) => r === o.role)?.[1] }, o.role) },
      { label: 'Second factor', cell: (o) => o.totp ? badge('On', { kind: 'ok', icon: 'check' }) : badge('Off', { icon: 'cross' }) },
      { label: 'Sessions', class: 'number', cell: (o) => count(o.sessions) }],
    actions: mayOwn(ctx) ? (o) => menu(iconButton('more', `More for ${o.email}`), () => [
      { label: 'Change role', icon: 'settings', run: () => setRole(ctx, o, again) },
      { label: 'Set password', icon: 'key', run: () => setPassword(ctx, o, again) },
      o.totp ? { label: 'Take the second factor away', icon: 'unlock', run: () => dropFactor(o, again) } : null,
      { label: 'Remove operator', icon: 'trash', danger: true, run: () => remove(o, again) },
    ].filter((it, i, all) => it || all[i + 1])) : undefined,
  });
}

/** @param {string} chosen */
function roleSelect(chosen) { return h('select', null, roles.map(([r, text]) => h('option', { value: r, selected: r === chosen }, `${r}: ${text}`))); }

const newPassword = () => h('input', { type: 'password', autocomplete: 'new-password' });

/** @param {Context} ctx @param {() => any} again */
function add(ctx, again) {
  const email = h('input', { type: 'email', autocomplete: 'off' }), password = newPassword(), role = roleSelect('viewer');
  dialog({
    title: 'New operator', signal: ctx.signal, body: [field('E-mail', email), field('Password', password), field('Role', role)],
    actions: [{
      label: 'Add operator', kind: 'primary', run: async (close) => {
        await api.post('v4/operators', { email: email.value.trim(), password: password.value, role: role.value });
        close();
        toast(`${email.value.trim()} may log in now`);
        again();
      },
    }],
  });
}

/** @param {Context} ctx @param {Operator} o @param {() => any} again */
function setRole(ctx, o, again) {
  const role = roleSelect(o.role);
  dialog({
    title: `Role of ${o.email}`, signal: ctx.signal, body: [field('Role', role), alert('info', h('p', null, 'All sessions of this operator end.'))],
    actions: [{ label: 'Change role', kind: 'primary', run: async (close) => { await api.put(path('v4', 'operators', o.email), { role: role.value }); close(); toast(`${o.email} is ${role.value} now`); again(); } }],
  });
}

/** @param {Context} ctx @param {Operator} o @param {() => any} again */
function setPassword(ctx, o, again) {
  const password = newPassword();
  dialog({
    title: `Password of ${o.email}`, signal: ctx.signal, body: [field('New password', password), alert('info', h('p', null, 'All sessions of this operator end.'))],
    actions: [{ label: 'Set password', kind: 'primary', run: async (close) => { await api.put(path('v4', 'operators', o.email), { password: password.value }); close(); toast('The password is set'); again(); } }],
  });
}

/** @param {Operator} o @param {() => any} again */
async function dropFactor(o, again) {
  const yes = await confirm({ title: 'Take the second factor away', danger: true, action: 'Take away', body: h('p', null, `${o.email} logs in by password alone until a new one is set up. All sessions end.`) });
  if (yes) await told(() => api.del(path('v4', 'operators', o.email, 'totp')), 'The second factor is off', again);
}

/** @param {Operator} o @param {() => any} again */
async function remove(o, again) {
  const done = await confirmTyped({
    title: `Remove ${o.email}`, word: o.email, action: 'Remove operator', body: h('p', null, 'All sessions of this operator end, and nobody can log in by this name. The last owner stays.'),
    run: () => api.del(path('v4', 'operators', o.email)),
  });
  if (done) { toast(`${o.email} is no operator any more`); again(); }
}

/** @param {() => Promise<any>} fn @param {string} said @param {() => any} again */
async function told(fn, said, again) {
  try { await fn(); } catch (e) { dialog({ title: 'Nothing was changed', body: errorBox(e) }); return; }
  toast(said);
  again();
}
