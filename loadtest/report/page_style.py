"""How the page of a run looks: its frame and style. It loads nothing, runs no script, and follows light, dark and print."""

from string import Template

COLOURS = """\
:root {
  color-scheme: light dark;
  --page: #fff; --ink: #1c1c1a; --soft: #63625e; --line: #dddcd6; --box: #f6f5f1; --band: #eda10026; --number: #8a5c00;
  --good: #1a7f37; --bad: #c4242d; --warn: #fff3d6; --warn-ink: #6b4700;
  --s1: #2a78d6; --s2: #e34948; --s3: #eda100; --s4: #4a3aa7; --s5: #1baf7a; --s6: #eb6834; --s7: #e87ba4; --s8: #8d8b84;
  --l1: #8fbcf0; --l2: #4b8fe0; --l3: #1d55a0;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #161615; --ink: #ecebe6; --soft: #a09e97; --line: #393936; --box: #20201f; --band: #c985002e; --number: #e2ae4d;
    --good: #3fb950; --bad: #f4716c; --warn: #3d2e09; --warn-ink: #f3d58e;
    --s1: #3987e5; --s2: #e66767; --s3: #c98500; --s4: #9085e9; --s5: #199e70; --s6: #d95926; --s7: #d55181; --s8: #85837c;
    --l1: #275ea8; --l2: #4b8fe0; --l3: #a9cdf7;
  }
}"""

CHART_RULES = """\
svg text { font: 12px system-ui, sans-serif; fill: var(--soft); } svg text.number { fill: var(--number); font-weight: 600; }
svg text.strong { fill: var(--ink); font-variant-numeric: tabular-nums; }
svg .grid { stroke: var(--line); stroke-width: 1; } svg .axis, svg .tick { stroke: var(--soft); stroke-width: 1; }
svg .band { fill: var(--band); } svg .column { fill: transparent; } svg .column:hover { fill: var(--soft); fill-opacity: .18; }
svg .track { fill: var(--box); stroke: var(--line); }
.line { fill: none; stroke: currentColor; stroke-width: 2; stroke-linejoin: round; }
.dashed { stroke-dasharray: 7 5; } .dotted { stroke-dasharray: 2 4; } .area, .dot, .bar { fill: currentColor; }
.area { stroke: var(--page); stroke-width: .5; }
.s1 { color: var(--s1); } .s2 { color: var(--s2); } .s3 { color: var(--s3); } .s4 { color: var(--s4); }
.s5 { color: var(--s5); } .s6 { color: var(--s6); } .s7 { color: var(--s7); } .s8 { color: var(--s8); }
.bound { color: var(--bad); }
.l1 { color: var(--l1); } .l2 { color: var(--l2); } .l3 { color: var(--l3); }"""

PAGE = Template(
    """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
"""
    + COLOURS
    + """
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); max-width: 64rem; margin: 2rem auto;
  padding: 0 1rem; }
h1 { margin: 0; font-size: 1.6rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 2.6rem 0 .2rem; font-size: 1.15rem; }
p { margin: .4rem 0; } .soft { color: var(--soft); } .good { color: var(--good); } .bad { color: var(--bad); }
.note { color: var(--soft); font-size: .875rem; max-width: 48rem; }
.warning { background: var(--warn); color: var(--warn-ink); padding: .6rem .9rem; border-radius: .4rem; font-weight: 600; }
ul.failures { margin: .4rem 0; padding-left: 1.2rem; color: var(--bad); }
code { font: 13px/1.45 ui-monospace, monospace; overflow-wrap: anywhere; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: .6rem; margin: 1.2rem 0 .6rem; }
.tiles div { background: var(--box); border-radius: .4rem; padding: .55rem .8rem; }
.tiles dt { color: var(--soft); font-size: .8125rem; }
.tiles dd { margin: 0; font-size: 1.3rem; font-weight: 600; line-height: 1.3; font-variant-numeric: tabular-nums; }
.tiles small { font-size: .8125rem; font-weight: 400; color: var(--soft); }
.chart, .wide { overflow-x: auto; } .chart svg { display: block; width: 100%; min-width: 40rem; height: auto; }
"""
    + CHART_RULES
    + """
ul.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .1rem 1.2rem; margin: .5rem 0 .2rem; padding: 0;
  font-size: .875rem; }
.key { display: inline-block; width: .8rem; height: .8rem; margin-right: .4rem; background: currentColor; border-radius: 2px;
  vertical-align: -1px; }
.key.line { width: 1.4rem; height: 0; background: none; border-top: 3px solid; border-radius: 0; vertical-align: 4px; }
.key.dashed { border-top-style: dashed; } .key.dotted { border-top-style: dotted; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0; }
th, td { text-align: left; vertical-align: top; padding: .25rem .9rem .25rem 0; border-bottom: 1px solid var(--line);
  overflow-wrap: anywhere; }
th { font-weight: 600; } th:first-child { min-width: 9rem; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
@media print { body { max-width: none; margin: 0; } h2, .chart, table { break-inside: avoid; } h2 { break-after: avoid; } }
</style>
</head>
<body>
$body
</body>
</html>
"""
)
