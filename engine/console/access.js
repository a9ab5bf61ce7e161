// The Access page.
import { page } from './ui.js';

/** @param {HTMLElement} main @param {import('./route.js').Context} ctx */
export async function show(main, ctx) { page(main, { title: 'Access', sub: ctx.kid }); }
