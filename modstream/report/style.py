"""The style sheet of the HTML reports, with colours by Okabe and Ito for a light and a dark theme.

The colours are distinguishable for colour-blind readers.

Source: https://jfly.uni-koeln.de/color/.
"""

CSS = """
:root {
  --page: #fcfcfb; --card: #ffffff; --ink: #1d2126; --muted: #646c76; --grid: #e4e6e9;
  --good: #0b7a53; --bad: #c0282d;
  --model-0: #0072b2; --model-1: #d55e00; --model-2: #7a7a7a; --model-3: #a9a9a9;
  --service-0: #009e73; --service-1: #a8527f; --service-2: #b58900;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171a; --card: #1b1f23; --ink: #e7e9ec; --muted: #9aa3ad; --grid: #30363d;
    --good: #3ecf97; --bad: #ff7b72;
    --model-0: #56b4e9; --model-1: #f0874a; --model-2: #a0a0a0; --model-3: #787878;
    --service-0: #2fc79b; --service-1: #d992ba; --service-2: #e0c24a;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 68rem; padding: 2.5rem 1.25rem 3rem; background: var(--page);
  color: var(--ink); font: 16px/1.5 system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif;
}
h1 { margin: 0; font-size: 1.75rem; letter-spacing: -0.015em; }
h2, h3 { margin: 2.25rem 0 0.5rem; font-size: 1.05rem; }
h2.part { margin: 3rem 0 0; padding-top: 1.25rem; border-top: 1px solid var(--grid);
  font-size: 1.3rem; }
.part + .lines { margin: 0.1rem 0 1rem; }
details { margin: 1rem 0; } summary { cursor: pointer; font-size: 0.95rem; }
.span { margin: 0.1rem 0 1rem; color: var(--muted); }
.verdict { margin: 0; padding: 0.75rem 1rem; border-left: 4px solid; background: var(--card); }
.verdict strong { margin-right: 0.5rem; letter-spacing: 0.04em; }
.sound { border-color: var(--good); } .sound strong { color: var(--good); }
.unsound { border-color: var(--bad); } .unsound strong { color: var(--bad); }
.key { display: flex; flex-wrap: wrap; gap: 1rem 2.25rem; margin: 1.5rem 0; }
.key dt { color: var(--muted); font-size: 0.8rem; }
.key dd { margin: 0; font-size: 1.35rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.models { position: sticky; top: 0; margin: 0 0 0.5rem; padding: 0.5rem 0;
  background: var(--page); }
.models span { margin-right: 1.25rem; }
.models i { display: inline-block; width: 1.4rem; height: 0.28rem; margin: 0 0.5rem 0.2rem 0;
  border-radius: 2px; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr));
  gap: 0 1rem; }
figure { margin: 0 0 1rem; padding: 0.9rem 1rem 0.5rem; background: var(--card);
  border: 1px solid var(--grid); border-radius: 8px; }
figcaption { margin-bottom: 0.4rem; color: var(--muted); font-size: 0.85rem; }
figcaption b { color: var(--ink); font-size: 0.95rem; margin-right: 0.5rem; }
svg { display: block; width: 100%; height: auto; }
svg text { font-family: inherit; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 0.35rem 1.1rem 0.35rem 0; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-right: 2rem; }
th { color: var(--muted); font-weight: 500; font-size: 0.85rem; }
thead tr, tbody tr { border-bottom: 1px solid var(--grid); }
.zero { color: var(--good); } .fault { color: var(--bad); font-weight: 700; }
.lines, footer { margin: 0.5rem 0 0; color: var(--muted); font-size: 0.85rem; }
footer { margin-top: 2.5rem; }
"""
