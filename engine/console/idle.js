// A session that nobody uses ends. The server decides; here somebody who is there but
// asks nothing is reported as there, and who is away is warned before.
import { lastActive, request } from './api.js';
import { h } from './dom.js';
import { dialog } from './ui.js';

const warning = 60; // seconds before the end

/**
 * Watches a session; ended is called with the reason when it is over. The answer stops
 * watching.
 * @param {import('./api.js').Session} session
 * @param {(why: string) => void} ended
 * @returns {() => void}
 */
export function watchIdle(session, ended) {
  const stop = new AbortController();
  const { signal } = stop;
  const tabs = new BroadcastChannel('postern-active');
  let elsewhere = 0; // when another tab was active
  let open = /** @type {import('./dialog.js').Dialog | null} */ (null);
  let told = 0;
  const active = () => Math.max(lastActive(), elsewhere);
  tabs.onmessage = () => { elsewhere = Date.now(); };
  const alive = () => { request('GET', 'session', { signal }).catch((e) => { if (e.status === 401) over(); }); };
  const moved = () => { if (!open && Date.now() - active() > session.idleSeconds * 1000 / 8) alive(); };
  const over = () => { if (!signal.aborted) ended('Nobody was here for a while, so the session was ended.'); };
  addEventListener('pointerdown', moved, { signal });
  addEventListener('keydown', moved, { signal });
  const timer = setInterval(async () => {
    if (lastActive() > told) { told = lastActive(); tabs.postMessage(''); }
    if (Date.now() >= Date.parse(session.until)) { ended('The working day of this session is over. Sign in again.'); return; }
    const left = session.idleSeconds - (Date.now() - active()) / 1000;
    if (left > warning) { open?.close(); return; }
    if (left <= 0) {
      // The server knows better: what it still takes for a session is one.
      try { await request('GET', 'session', { idle: true, signal }); } catch (e) { if (/** @type {any} */ (e).status === 401) over(); }
      return;
    }
    if (open) return;
    open = dialog({
      title: 'Are you still there?', cancel: '', signal,
      body: h('p', null, 'Nobody has done anything here for a while. The session ends in a minute.'),
      actions: [{ label: 'Stay signed in', kind: 'primary', run: (close) => close() }],
    });
    open.closed.then(() => { open = null; if (!signal.aborted && session.idleSeconds - (Date.now() - active()) / 1000 <= warning) alive(); });
  }, 5000);
  signal.addEventListener('abort', () => { clearInterval(timer); tabs.close(); });
  return () => stop.abort();
}
