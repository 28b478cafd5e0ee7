/** The page's style sheet: one text, so that its hash can stand in the Content-Security-Policy. */

export const STYLE = `
:root {
  color-scheme: light dark;
  --ground: #f7f7f5; --surface: #ffffff; --text: #1b1f24; --muted: #56606b; --line: #dcdfe3; --accent: #0f55b3;
  --accent-text: #ffffff; --hover: #f0f3f7;
  --good: #11653a; --good-ground: #e3f3e8; --bad: #ab1f17; --bad-ground: #fce9e7; --busy: #0b57a4;
  --busy-ground: #e4effb; --warn: #7f4c00; --warn-ground: #fcf0d9; --quiet: #535c66; --quiet-ground: #eceef0;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #121517; --surface: #1a1e22; --text: #e7eaed; --muted: #a7b0ba; --line: #31373e; --accent: #86baf8;
    --accent-text: #0d1721; --hover: #22272d;
    --good: #7bd9a3; --good-ground: #12301f; --bad: #ffa49c; --bad-ground: #3b1715; --busy: #93c5ff;
    --busy-ground: #10283f; --warn: #f2c479; --warn-ground: #35270e; --quiet: #b3bbc4; --quiet-ground: #282d33;
  }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body {
  margin: 0; background: var(--ground); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif;
}
a { color: var(--accent); text-underline-offset: 2px; }
a:hover { text-decoration-thickness: 2px; }
:focus-visible, input:focus-within { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 3px; }
code, pre, .mono { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .9em; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; line-height: 1.3; margin: 2rem 0 .6rem; }
h3 { font-size: 1rem; line-height: 1.3; margin: 0; overflow-wrap: anywhere; }
p { margin: .25rem 0; }
.skip { position: absolute; left: -999rem; }
.skip:focus { left: 1rem; top: .5rem; background: var(--surface); padding: .4rem .8rem; z-index: 1; }
.sr { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
header.top { background: var(--surface); border-bottom: 1px solid var(--line); }
header.top > div, main, footer { max-width: 76rem; margin: 0 auto; padding: 0 1.25rem; }
header.top > div { display: flex; flex-wrap: wrap; align-items: center; gap: .25rem 1.5rem; min-height: 3.25rem; }
.brand { font-weight: 700; font-size: 1.05rem; color: var(--text); text-decoration: none; letter-spacing: -.01em; }
.brand span { color: var(--accent); }
nav.main { display: flex; gap: 1rem; flex: 1; }
nav.main a { color: var(--muted); text-decoration: none; padding: .25rem 0; }
nav.main a:hover { color: var(--text); text-decoration: underline; }
nav.main a[aria-current] { color: var(--text); font-weight: 600; box-shadow: 0 2px 0 var(--accent); }
main { padding-top: 1.5rem; padding-bottom: 3rem; }
footer { padding-bottom: 2rem; color: var(--muted); font-size: .87rem; }
.crumbs { margin: 0 0 .75rem; padding: 0; list-style: none; display: flex; flex-wrap: wrap; gap: .15rem .5rem; color: var(--muted); font-size: .9rem; }
.crumbs li + li::before { content: "/"; margin-right: .5rem; color: var(--muted); }
.muted { color: var(--muted); }
.note { font-size: .9rem; }
.head { display: flex; flex-wrap: wrap; align-items: flex-start; justify-content: space-between; gap: .75rem 1.5rem; }
.head > :first-child { min-width: min(100%, 20rem); flex: 1; }
.actions { display: flex; flex-wrap: wrap; align-items: end; gap: .6rem; }
.card { background: var(--surface); border: 1px solid var(--line); border-radius: 8px; padding: 1rem 1.1rem; }
.cards { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 27rem), 1fr)); }
.card > * + * { margin-top: .7rem; }
article.card { display: flex; flex-direction: column; }
article.card > .actions { margin-top: auto; padding-top: .9rem; }
.columns { display: grid; gap: 0 1.5rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr)); align-items: start; }
.columns > * { min-width: 0; }
dl.facts { display: grid; grid-template-columns: max-content 1fr; gap: .2rem .9rem; margin: 0; }
dl.facts dt { color: var(--muted); }
dl.facts dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
.strip { display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); gap: .8rem 1rem; margin: 1rem 0 0; }
#run-facts { margin-top: .6rem; }
.strip dt { color: var(--muted); font-size: .85rem; }
.strip dd { margin: 0; overflow-wrap: anywhere; }
.badge {
  display: inline-flex; align-items: center; gap: .35em; padding: .05rem .5rem; border-radius: 1rem;
  font-size: .87rem; font-weight: 600; white-space: nowrap; border: 1px solid transparent;
  color: var(--quiet); background: var(--quiet-ground);
}
.badge.good { color: var(--good); background: var(--good-ground); }
.badge.bad { color: var(--bad); background: var(--bad-ground); }
.badge.busy { color: var(--busy); background: var(--busy-ground); }
.badge.warn { color: var(--warn); background: var(--warn-ground); }
.badge i { font-style: normal; min-width: 1em; text-align: center; }
ol.history { position: relative; list-style: none; display: flex; flex-wrap: wrap; gap: 3px; padding: 0; margin: 0; }
ol.history a {
  display: inline-flex; width: 1.75rem; height: 1.75rem; align-items: center; justify-content: center;
  border-radius: 4px; text-decoration: none; font-size: .85rem; color: var(--quiet); background: var(--quiet-ground);
}
ol.history a.good { color: var(--good); background: var(--good-ground); }
ol.history a.bad { color: var(--bad); background: var(--bad-ground); }
ol.history a.busy { color: var(--busy); background: var(--busy-ground); }
ol.history a:hover { box-shadow: inset 0 0 0 1px currentColor; }
.scroll { position: relative; overflow-x: auto; background: var(--surface); border: 1px solid var(--line); border-radius: 8px; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; }
th, td { text-align: left; padding: .45rem .75rem; border-top: 1px solid var(--line); vertical-align: top; }
thead td { border-top: 0; }
thead th { border-top: 0; color: var(--muted); font-weight: 600; font-size: .85rem; white-space: nowrap; background: var(--surface); }
tbody th { font-weight: 500; }
ul.plain { list-style: none; margin: 0; padding: 0; }
ul.plain li + li { margin-top: .35rem; }
tbody tr:hover > * { background: var(--hover); }
tr.group > th { background: var(--quiet-ground); font-weight: 600; }
tbody tr.group:hover > th { background: var(--quiet-ground); }
tr.member > th { padding-left: 1.75rem; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.time, .time { white-space: nowrap; font-variant-numeric: tabular-nums; }
td.words { min-width: 15rem; }
.error { color: var(--bad); overflow-wrap: anywhere; white-space: pre-wrap; }
.empty { padding: 1rem 1.1rem; color: var(--muted); }
.alert { border: 1px solid var(--line); border-left: 4px solid var(--bad); background: var(--surface); border-radius: 6px; padding: .8rem 1rem; margin: 1rem 0; }
.alert ul { margin: .25rem 0 0; padding-left: 1.2rem; }
form { display: flex; flex-wrap: wrap; gap: .5rem; align-items: end; margin: 0; }
label { display: block; font-size: .85rem; color: var(--muted); }
input { font: inherit; color: inherit; background: var(--surface); border: 1px solid var(--muted); border-radius: 6px; padding: .3rem .5rem; min-height: 2.25rem; }
button, .button {
  font: inherit; font-weight: 600; cursor: pointer; color: var(--text); background: var(--surface);
  border: 1px solid var(--muted); border-radius: 6px; padding: .3rem .8rem; min-height: 2.25rem;
}
button:hover { background: var(--hover); }
button.primary { color: var(--accent-text); background: var(--accent); border-color: var(--accent); }
button.primary:hover { filter: brightness(1.08); }
button.danger { color: var(--bad); border-color: var(--bad); }
button.live { font-weight: 500; font-size: .87rem; min-height: 2rem; border-color: var(--line); color: var(--muted); }
button.live i { font-style: normal; }
button.live[data-state="on"] { color: var(--good); }
button.live[data-state="waiting"] { color: var(--warn); }
details.ask { position: relative; }
details.ask > summary { list-style: none; display: inline-block; cursor: pointer; font-weight: 600; border: 1px solid var(--bad); color: var(--bad); border-radius: 6px; padding: .3rem .8rem; }
details.ask > summary::-webkit-details-marker { display: none; }
details.ask[open] > div { margin-top: .5rem; max-width: 26rem; }
.log { margin: 0; padding: .75rem 1rem; overflow-x: auto; }
.log ol { list-style: none; margin: 0; padding: 0; }
.log li { white-space: pre-wrap; overflow-wrap: anywhere; padding: .1rem 0 .1rem .6rem; border-left: 3px solid transparent; }
.log li.error-line { border-left-color: var(--bad); background: var(--bad-ground); color: var(--text); }
.log li.warn-line { border-left-color: var(--warn); }
.log .when { color: var(--muted); }
.log .fields { color: var(--muted); }
.report { background: var(--surface); border: 1px solid var(--line); border-radius: 8px; padding: 1.25rem 1.5rem; }
.report h2 { margin-top: 1.75rem; }
.report .scroll { margin: .75rem 0; }
.report td, .report th { padding: .35rem .7rem; }
.report [align="right"] { text-align: right; font-variant-numeric: tabular-nums; }
.report [align="center"] { text-align: center; }
.report p { margin: .6rem 0; max-width: 75ch; overflow-wrap: anywhere; }
.report code { background: var(--quiet-ground); padding: .05rem .3rem; border-radius: 4px; overflow-wrap: anywhere; }
.report pre { overflow-x: auto; background: var(--quiet-ground); padding: .75rem 1rem; border-radius: 6px; }
.report pre code { background: none; padding: 0; }
@media (max-width: 40rem) {
  header.top > div, main, footer { padding-left: .9rem; padding-right: .9rem; }
  header.top > div { gap: .25rem .9rem; }
  nav.main { gap: .8rem; }
  .strip { grid-template-columns: repeat(auto-fill, minmax(10rem, 1fr)); }
  .wide { display: none; }
  th, td { padding: .4rem .55rem; }
  .report { padding: 1rem; }
  .stack thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .stack, .stack tbody { display: block; }
  .stack tr { display: flex; flex-wrap: wrap; align-items: baseline; gap: .25rem .8rem; padding: .55rem .75rem; border-top: 1px solid var(--line); }
  .stack tbody:first-of-type tr:first-child { border-top: 0; }
  .stack th, .stack td { display: block; border: 0; padding: 0; min-width: 0; }
  .stack th { flex: 1 1 9rem; }
  .stack td:empty, .stack td.none, .stack td.wide { display: none; }
  .stack td.words { flex: 1 0 100%; order: 1; }
  .stack td.time, .stack td.number { order: 2; color: var(--muted); }
  .stack tr.member { padding-left: 1.5rem; }
  .stack tr.member > th { padding-left: 0; }
  .stack tr.group { padding: 0; }
  .stack tr.group > th { padding: .45rem .75rem; }
}
@media (forced-colors: active) { .badge, ol.history a { border: 1px solid; } }
@media (prefers-reduced-motion: no-preference) {
  .badge.busy i { animation: breathe 1.6s ease-in-out infinite; }
  @keyframes breathe { 50% { opacity: .35; } }
}
`;
