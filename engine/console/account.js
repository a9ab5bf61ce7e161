// What an operator sets for himself: his password and his second factor.
import { api } from './api.js';
import { h } from './dom.js';
import { alert, code, dialog, field, toast } from './ui.js';

const secret = (/** @type {string} */ autocomplete) => h('input', { type: 'password', autocomplete });
const digits = () => h('input', { type: 'text', inputmode: 'numeric', autocomplete: 'one-time-code', maxlength: '8' });

/** Changes the own password, which ends all sessions. */
export function changePassword() {
  const old = secret('current-password'), next = secret('new-password'), again = secret('new-password');
  dialog({
    title: 'Change password',
    body: [field('Password', old), field('New password', next), field('New password again', again),
      alert('info', h('p', null, 'All your sessions end, also this one.'))],
    actions: [{
      label: 'Change password', kind: 'primary',
      run: async (close) => {
        if (next.value !== again.value) throw new Error('The two new passwords are not the same.');
        await api.put('v4/operator/password', { password: old.value, new: next.value });
        close();
        toast('The password was changed');
        location.reload();
      },
    }],
  });
}

/**
 * Switches the second factor on or off.
 * @param {boolean} on whether it is on
 * @returns {Promise<boolean>} whether it is on then
 */
export async function secondFactor(on) {
  const password = secret('current-password'), number = digits();
  if (on) {
    const off = await dialog({
      title: 'Switch off the second factor',
      body: [field('Password', password), field('Code of your authenticator', number)],
      actions: [{
        label: 'Switch off', kind: 'danger',
        run: async (close) => { await api.del('v4/operator/totp', { body: { password: password.value, code: number.value.trim() } }); close(true); },
      }],
    }).closed;
    if (off) toast('The second factor is off');
    return !off;
  }
  const pending = await dialog({
    title: 'Set up a second factor',
    body: [h('p', null, 'With it, signing in takes the password and a code from an authenticator app.'), field('Password', password)],
    actions: [{ label: 'Go on', kind: 'primary', run: async (close) => close(await api.post('v4/operator/totp', { password: password.value })) }],
  }).closed;
  if (!pending) return false;
  const done = await dialog({
    title: 'Set up a second factor',
    body: [h('p', null, 'Give this key to your authenticator app, then type the code that it shows.'),
      code(String(pending.secret), 'Key'), h('details', null, h('summary', null, 'As an address'), code(String(pending.uri), 'Address')), field('Code', number)],
    actions: [{ label: 'Switch on', kind: 'primary', run: async (close) => { await api.put('v4/operator/totp', { code: number.value.trim() }); close(true); } }],
  }).closed;
  if (done) toast('The second factor is on');
  return done === true;
}
