// The page to sign in at.
import { request } from './api.js';
import { clear, h, icon } from './dom.js';
import { alert, button, errorBox, field } from './ui.js';

/**
 * Shows it; entered gets the session.
 * @param {string} why  what is to be said first
 * @param {(s: import('./api.js').Session) => any} entered
 */
export function showLogin(why, entered) {
  const email = h('input', { type: 'email', name: 'email', autocomplete: 'username', required: true, spellcheck: 'false' });
  const password = h('input', { type: 'password', name: 'password', autocomplete: 'current-password', required: true });
  const code = h('input', { type: 'text', name: 'code', inputmode: 'numeric', autocomplete: 'one-time-code', maxlength: '8', spellcheck: 'false' });
  const second = h('div', { hidden: true }, field('Code of your authenticator', code, 'Six digits, new every half minute.'));
  const problem = h('div');
  let busy = false;
  const form = h('form', {
    method: 'post', novalidate: true,
    onsubmit: async (/** @type {Event} */ e) => {
      e.preventDefault();
      if (busy) return;
      if (!email.value.trim() || !password.value) {
        clear(problem, alert('warn', h('p', { role: 'alert' }, 'E-mail address and password are needed.')));
        (email.value.trim() ? password : email).focus();
        return;
      }
      busy = true;
      form.setAttribute('aria-busy', 'true');
      try {
        const s = await request('POST', 'login', { body: { email: email.value.trim(), password: password.value, ...(second.hidden ? {} : { code: code.value.trim() }) } });
        await entered(s);
        return;
      } catch (err) { refused(/** @type {any} */ (err)); }
      busy = false;
      form.removeAttribute('aria-busy');
    },
  }, field('E-mail address', email), field('Password', password), second, problem, button('Sign in', { kind: 'primary', type: 'submit' }));

  /** @param {any} err */
  function refused(err) {
    if (err.name === 'CodeRequired') {
      const again = !second.hidden;
      second.hidden = false;
      clear(problem, again && alert('warn', h('p', { role: 'alert' }, 'This code is not the right one, or was used already.')));
      code.value = '';
      code.focus();
    } else if (err.status === 401) {
      clear(problem, alert('error', h('p', { role: 'alert' }, 'Nobody is known by this address, password and code.')));
      password.select();
      password.focus();
    } else if (err.status === 429) {
      clear(problem, alert('warn', h('p', { role: 'alert' }, `Too many attempts. Try again in ${err.retryAfter || 60} seconds.`)));
    } else clear(problem, errorBox(err));
  }

  clear(document.body, h('main', { class: 'login' }, h('div', { class: 'login-card' },
    h('span', { class: 'brand' }, h('span', { class: 'brand-mark', 'aria-hidden': 'true' }, icon('access')), 'Postern'),
    h('h1', null, 'Sign in to the console'), why && alert('info', h('p', { role: 'status' }, why)), form,
    h('p', { class: 'hint' }, 'Operators are made on the server: ', h('code', null, 'postern operator add')))));
  email.focus();
}
