// The Activity page.
import { page } from './ui.js';

/** @param {HTMLElement} main @param {import('./route.js').Context} ctx */
export async function show(main, ctx) { page(main, { title: 'Activity', sub: ctx.kid }); }
