/** An error -> a page that says what went wrong and where to go from there. */
import { html } from 'hono/html';
import { type Html, layout } from './layout.ts';

const TITLES: Readonly<Record<number, string>> = {
  400: 'That request makes no sense',
  403: 'Not from there',
  404: 'Nothing here',
  405: 'Not like that',
  409: 'Not now',
  413: 'Too large',
  421: 'Not by that name',
  501: 'Not possible',
};

export function errorPage({ status, message }: { readonly status: number; readonly message: string }): Html {
  const title = TITLES[status] ?? 'That did not work';
  return layout({
    title,
    section: null,
    crumbs: [],
    events: null,
    body: html`<h1>${title}</h1>
<p role="alert">${message}</p>
<p><a href="/">Back to the overview</a></p>`,
  });
}
