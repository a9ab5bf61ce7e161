// The console starts here: who is signed in, which page is shown, and what is around it.
import { api, onEnd, request } from './api.js';
import { append, clear, h, icon } from './dom.js';
import { alert, button, errorBox, iconButton, loading, menu, page } from './ui.js';
import { go, href, note, parse, serverPages } from './route.js';
import { userName } from './names.js';
import { watchIdle } from './idle.js';
import { changePassword, secondFactor } from './account.js';
import { showLogin } from './login.js';

/** @typedef {import('./route.js').Context} Context */
/** @typedef {import('./route.js').Environment} Environment */
/** @typedef {import('./api.js').Session} Session */

/**
 * The pages of the navigation, in its order.
 * @type {Record<string, {title: string, icon: string, load: () => Promise<{show: (main: HTMLElement, ctx: Context) => Promise<void>}>}>}
 */
const pages = {
  data: { title: 'Data', icon: 'data', load: () => import('./data.js') },
  settings: { title: 'Settings', icon: 'settings', load: () => import('./settings.js') },
  users: { title: 'Users', icon: 'users', load: () => import('./users.js') },
  sessions: { title: 'Sessions', icon: 'sessions', load: () => import('./sessions.js') },
  groups: { title: 'Groups', icon: 'groups', load: () => import('./groups.js') },
  access: { title: 'Access', icon: 'access', load: () => import('./access.js') },
  identity: { title: 'Identity', icon: 'identity', load: () => import('./identity.js') },
  activity: { title: 'Activity', icon: 'activity', load: () => import('./activity.js') },
  system: { title: 'System', icon: 'system', load: () => import('./system.js') },
};

let session = /** @type {Session | null} */ (null);
let apps = /** @type {Environment[]} */ ([]);
let leave = new AbortController(); // of the page that is shown
let idle = () => {};
let shown = ''; // the page and its arguments, without params
let kidBefore = ''; // the app that was looked at last

/** @type {{main: HTMLElement, side: HTMLElement, banner: HTMLElement, where: HTMLElement} | null} */
let frame = null;

/** Loads the apps anew, after one was made, renamed or deleted. */
export async function reloadApps() {
  const list = await api.get('v4/apps');
  apps = list.flatMap((/** @type {any} */ a) => a.environments);
  if (frame) drawSide();
}

async function start() {
  try { session = await request('GET', 'who', { idle: true }) ?? null; } catch (e) {
    clear(document.body, h('main', { class: 'login' }, h('div', { class: 'login-card' }, errorBox(e), button('Try again', { onclick: start }))));
    return;
  }
  if (session) await enter(session); else login();
}

/** @param {string} [why] */
function login(why = '') {
  session = null;
  leave.abort();
  idle();
  frame = null;
  document.querySelectorAll('dialog').forEach((d) => d.remove());
  document.title = 'Sign in – Postern';
  showLogin(why, enter);
}

/** @param {Session} s */
async function enter(s) {
  session = s;
  shown = '';
  idle();
  idle = watchIdle(s, login);
  build();
  try { await reloadApps(); } catch (e) {
    if (session && frame) clear(frame.main, errorBox(e), button('Try again', { onclick: () => enter(s) }));
    return;
  }
  await render();
}

function build() {
  const main = h('main', { class: 'main', id: 'main', tabindex: '-1' });
  const side = h('aside', { class: 'sidebar', 'aria-label': 'Console' });
  const banner = h('div');
  const where = h('span', { class: 'where' });
  frame = { main, side, banner, where };
  clear(document.body,
    button('Skip to the page', { class: 'button skip', onclick: () => main.focus() }),
    h('div', { class: 'shell' }, side,
      h('div', { class: 'content' },
        h('header', { class: 'topbar' }, iconButton('menu', 'Open the navigation', { onclick: openDrawer, 'aria-haspopup': 'dialog' }), where),
        banner, main)));
  drawSide();
}

function drawSide() {
  if (frame) clear(frame.side, sideParts(() => {}));
}

/** The navigation as a dialog, on phones. */
function openDrawer() {
  const before = /** @type {HTMLElement | null} */ (document.activeElement);
  const d = h('dialog', { class: 'nav-drawer', 'aria-label': 'Navigation', onclose: () => { d.remove(); if (before?.isConnected) before.focus(); },
    onclick: (/** @type {Event} */ e) => { if (e.target === d) d.close(); } });
  const side = h('div', { class: 'sidebar' }, sideParts(() => d.close()));
  append(d, side);
  document.body.appendChild(d);
  d.showModal();
  const current = /** @type {HTMLElement | null} */ (side.querySelector('[aria-current]'));
  current?.focus();
}

/**
 * What stands at the side. left is called when it leads somewhere.
 * @param {() => void} left
 */
function sideParts(left) {
  const at = parse(location.hash);
  const kid = at.kid || kidBefore || apps[0]?.id || '';
  const link = (/** @type {string} */ name) => h('a', {
    href: href(kid, name, [], name === 'data' && at.page === 'data' ? { as: at.params.get('as') } : {}),
    'aria-current': at.page === name ? 'page' : null, onclick: left,
  }, icon(pages[name].icon), pages[name].title);
  const of = Object.keys(pages).filter((name) => !serverPages.has(name));
  return [
    h('a', { class: 'brand', href: kid ? href(kid, 'data') : '#/system', onclick: left }, mark(), 'Postern'),
    apps.length > 0 && switcher(kid, at.page, left),
    h('nav', { class: 'nav', 'aria-label': 'Main' }, apps.length > 0 && of.map(link), h('p', { class: 'nav-group' }, 'Server'), link('system')),
    h('div', { class: 'sidebar-foot' }, operatorMenu()),
  ];
}

/** The sign of the product: a small gate. */
export function mark() { return h('span', { class: 'brand-mark', 'aria-hidden': 'true' }, icon('access')); }

/** @param {string} kid @param {string} current @param {() => void} left */
function switcher(kid, current, left) {
  const a = apps.find((e) => e.id === kid);
  const name = a ? label(a) : kid;
  const opener = h('button', { type: 'button', class: 'switcher' }, h('span', { class: 'sr' }, 'Switch app: '),
    h('span', { class: 'switcher-text' }, h('strong', null, name), h('small', { class: 'hint mono' }, kid)), icon('down'));
  return h('div', null, menu(opener, () => apps.map((e) => ({
    label: label(e), note: e.id, checked: e.id === kid,
    run: () => { left(); go(href(e.id, Object.hasOwn(pages, current) && !serverPages.has(current) ? current : 'data')); },
  }))));
}

/** @param {Environment} e */
function label(e) { return e.name && e.name !== e.appName ? `${e.appName || e.id} / ${e.name}` : e.appName || e.id; }

function operatorMenu() {
  const s = /** @type {Session} */ (session);
  const opener = h('button', { type: 'button', class: 'operator' }, h('span', { class: 'sr' }, 'Operator '),
    h('span', { class: 'avatar', 'aria-hidden': 'true' }, s.email.slice(0, 2)),
    h('span', { class: 'switcher-text' }, h('span', null, s.email), h('small', { class: 'hint' }, s.role)), icon('more'));
  return menu(opener, () => [
    { label: 'Change password', icon: 'key', run: () => changePassword() },
    { label: s.totp ? 'Switch off the second factor' : 'Set up a second factor', icon: 'lock', run: async () => { s.totp = await secondFactor(s.totp); } },
    null,
    { label: 'Sign out', icon: 'out', run: signOut },
  ]);
}

async function signOut() {
  try { await request('POST', 'logout', { body: {} }); } catch { /* the session ends by itself */ }
  login('You are signed out.');
}

/** Shows the page that the address names. */
async function render() {
  if (!session || !frame) return;
  const at = parse(location.hash);
  const server = serverPages.has(at.page);
  if (!server && !at.kid) {
    if (apps.length) go(href(kidBefore || apps[0].id, 'data'), { replace: true });
    else noApps(frame.main);
    return;
  }
  if (at.kid) kidBefore = at.kid;
  leave.abort();
  leave = new AbortController();
  const { signal } = leave;
  const p = Object.hasOwn(pages, at.page) ? pages[at.page] : undefined;
  const here = [at.kid, at.page, ...at.args].join('/');
  const turned = here !== shown, first = shown === '';
  shown = here;
  drawSide();
  document.title = `${[...at.args.slice(0, 1), p?.title, at.kid].filter(Boolean).join(' – ')} – Postern`;
  frame.where.textContent = [p?.title, ...at.args.slice(0, 1)].filter(Boolean).join(' / ');
  const { main } = frame;
  if (!p) { go(href(at.kid, 'data'), { replace: true }); return; }
  if (!server && !apps.some((e) => e.id === at.kid)) {
    page(main, { title: 'No such app' }).append(alert('warn', h('p', null, 'This server has no app with the key ', h('code', null, at.kid), '.')), button('Go to an app', { onclick: () => go('#/') }));
    clear(frame.banner);
    return;
  }
  /** @type {Context} */
  const ctx = { ...at, session, seenAs: at.page === 'data' ? at.params.get('as') ?? '' : '', signal, apps, origin: session.origin || originOf() };
  banner(ctx);
  if (turned) clear(main, loading());
  try {
    const module = await p.load();
    if (signal.aborted) return;
    await module.show(main, ctx);
  } catch (e) {
    if (signal.aborted) return;
    page(main, { title: p.title }).append(errorBox(e), h('div', null, button('Try again', { icon: 'refresh', onclick: render })));
  }
  if (turned && !signal.aborted && !document.querySelector('dialog[open]')) {
    scrollTo(0, 0);
    // At the beginning the first key leads to the first thing of the page.
    if (!first) /** @type {HTMLElement | null} */ (main.querySelector('h1'))?.focus({ preventScroll: true });
  }
}

/** The address of the apps' listener is not told by every server. */
function originOf() { return `${location.protocol}//${location.hostname}:8080`; }

/** @param {Context} ctx */
function banner(ctx) {
  if (!frame) return;
  clear(frame.banner);
  if (!ctx.seenAs) return;
  append(frame.banner, h('div', { class: 'seen-banner', role: 'status', 'data-testid': 'seen-as' }, icon('eye'),
    h('p', null, 'Seen as: ', userName(ctx.kid, ctx.seenAs), '. This is what the user gets, and it can only be looked at.'),
    button('Back to all data', { class: 'button small', onclick: () => { note(ctx, { as: '', id: '' }); render(); } })));
}

/** @param {HTMLElement} main */
function noApps(main) {
  page(main, { title: 'Welcome' }).append(alert('info', h('p', null, 'This server has no app yet. '),
    session?.role === 'owner' ? h('p', null, h('a', { href: '#/system' }, 'Make one on the System page'), ', or with ', h('code', null, 'postern app create'), '.')
      : h('p', null, 'An owner makes one on the System page.')));
}

addEventListener('hashchange', render);
onEnd(() => { if (session) login('The session is over. Sign in again to go on.'); });
start();
