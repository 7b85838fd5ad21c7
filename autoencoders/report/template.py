"""The text of the pages, as Jinja2 templates; what they get is escaped."""

from autoencoders.report.style import SCRIPT, STYLE

BASE = (
    """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; \
style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>{{ title }}</title>
<style>
"""
    + STYLE
    + """
</style>
</head>
<body>
<main>
{% block content %}{% endblock %}
</main>
<script>"""
    + SCRIPT
    + """</script>
</body>
</html>
"""
)

MACROS = """
{% macro table(name, rows, numbers=(), sortable=false, ours=()) %}
<div class="scroll" tabindex="0" role="region" aria-label="{{ name }}">
<table{% if sortable %} class="sortable"{% endif %}>
<thead><tr>{% for column in rows[0] %}
<th scope="col"{% if column in numbers %} class="number"{% endif %}>{{ column }}</th>
{%- endfor %}</tr></thead>
<tbody>{% for row in rows %}
<tr{% if row.values()|first in ours %} class="ours"{% endif %}>
{%- for column, cell in row.items() %}
{%- if loop.first %}<th scope="row" data-value="{{ cell }}">{{ cell }}</th>
{%- elif cell is mapping %}<td class="number" data-value="{{ cell.value }}">{{ cell.shown }}
{%- if cell.note %}<small>{{ cell.note }}</small>{% endif %}</td>
{%- else %}<td{% if column in numbers %} class="number"{% endif %}>{{ cell }}</td>
{%- endif %}{% endfor %}</tr>{% endfor %}
</tbody></table></div>
{% endmacro %}
{% macro strips(rows, labels, what="label") %}
<div class="rows">
{% for row in rows %}<div class="name">{{ row.name }}{% if row.note %}<small>{{ row.note }}</small>
{%- endif %}</div><img src="{{ row.image }}" alt="{{ row.alt }}">
{% endfor %}
{% if labels %}<div class="name"><small>{{ what }}</small></div>
<div class="labels">{% for label in labels %}<span>{{ label }}</span>{% endfor %}</div>{% endif %}
</div>
{% endmacro %}
{% macro gallery(name, levels, labels, shown) %}
{% if levels|length > 1 %}
<div class="controls" hidden><label for="{{ name }}">noise factor</label>
<input type="range" id="{{ name }}" min="0" max="{{ levels|length - 1 }}" step="1"
value="{{ shown }}" data-levels="{{ name }}-levels">
<output for="{{ name }}">{{ levels[shown].level }}</output></div>
{% endif %}
<div id="{{ name }}-levels">
{% for one in levels %}
<div data-level="{{ one.level }}"{% if loop.index0 != shown %} hidden{% endif %}>
{{ strips(one.rows, labels) }}</div>
{% endfor %}</div>
{% endmacro %}
"""

REPORT = """{% extends "base" %}
{% from "macros" import table, gallery %}
{% block content %}
<header>
<p class="soft">{{ page.kind }}</p>
<h1>{{ page.headline }}</h1>
<p>{{ page.what }}</p>
<ul class="tiles">{% for tile in page.tiles %}
<li><span>{{ tile.name }}</span><b>{{ tile.value }}</b><span>{{ tile.note }}</span></li>
{%- endfor %}</ul>
</header>

<h2>What to doubt</h2>
{% for text in page.doubts %}<p class="warn">{{ text|codes }}</p>
{% else %}<p>Nothing was found that speaks against these results.</p>{% endfor %}

<h2>Results on {{ page.images }} test images</h2>
{{ table("Results", page.results, page.result_numbers, sortable=true, ours=page.ours) }}
<p class="soft">{{ page.convention }}</p>
{% for text in page.remarks %}<p>{{ text|codes }}</p>{% endfor %}

<h2>The same images, noisy and restored</h2>
{{ gallery("gallery", page.gallery.levels, page.gallery.labels, page.gallery.shown) }}
<p class="soft">{{ page.gallery.caption }}</p>

{% if page.extremes %}
<h2>Best, median and worst</h2>
<div class="triples">{% for one in page.extremes %}
<figure class="triple"><img src="{{ one.image }}" alt="{{ one.alt }}">
<figcaption><b>{{ one.name }}</b>: {{ one.note }}</figcaption></figure>{% endfor %}
</div>
<p class="soft">{{ page.extremes_caption }}</p>
{% endif %}

{% for chart in page.charts %}{% if loop.first %}
<h2>Curves</h2>
<div class="charts">{% endif %}
<figure><h3>{{ chart.title }}</h3>{{ chart.drawing }}
<figcaption>{{ chart.caption|codes }}</figcaption></figure>
{% if loop.last %}</div>{% endif %}{% endfor %}

{% if page.classes %}
<h2>By class</h2>
<details><summary>PSNR of {{ page.classes|length }} classes</summary>
{{ table("Classes", page.classes, page.class_numbers, sortable=true) }}</details>
{% endif %}

<h2>Data</h2>
{{ table("What was recognised", page.recognised) }}

<h2>Settings</h2>
{% if page.changed %}<p>These differ from the reference; all others are as there.</p>
{{ table("Settings that differ", page.changed) }}
{% else %}<p>They are those of the reference.</p>{% endif %}
<details><summary>Every setting</summary>{{ table("Every setting", page.settings) }}</details>
<h3>To run it again</h3>
<pre><code>{{ page.command }}</code></pre>
<p class="soft">{{ page.command_note }}</p>

<h2>How it was made</h2>
<p>{{ page.work }}</p>
<details><summary>Which step read what</summary>
<div class="scroll" tabindex="0" role="region" aria-label="Drawing of the steps">
{{ page.lineage_drawing }}</div>
{{ table("Which step read what", page.lineage) }}</details>
<details><summary>Software</summary>{{ table("Software", page.environment) }}</details>
<details><summary>Digests of the inputs (sha256)</summary>
{{ table("Digests", page.digests) }}</details>
{% endblock %}
"""

COMPARISON = """{% extends "base" %}
{% from "macros" import table, gallery, strips %}
{% block content %}
<header>
<p class="soft">Comparison of {{ page.runs|length }} runs</p>
<h1>{{ page.headline }}</h1>
{{ table("Runs", page.runs) }}
</header>

<h2>Which is better</h2>
{% for text in page.doubts %}<p class="warn">{{ text|codes }}</p>{% endfor %}
{% if page.verdicts %}{{ table("Which is better", page.verdicts) }}{% endif %}
<p class="soft">{{ page.convention }}</p>

<h2>Settings that differ</h2>
{% if page.changed %}{{ table("Settings that differ", page.changed) }}
{% else %}<p>None.</p>{% endif %}

{% if page.strips %}
<h2>The same images</h2>
{{ strips(page.strips, page.numbers, "test image") }}
{% endif %}

{% for chart in page.charts %}{% if loop.first %}
<h2>Curves</h2>
<div class="charts">{% endif %}
<figure><h3>{{ chart.title }}</h3>{{ chart.drawing }}
<figcaption>{{ chart.caption }}</figcaption></figure>
{% if loop.last %}</div>{% endif %}{% endfor %}

<h2>Metrics</h2>
{% if page.metrics %}
{{ table("Metrics", page.metrics, page.metric_numbers, sortable=true) }}
{% endif %}{% if page.same_metrics %}
<details><summary>{{ page.same_metrics|length }} metrics that are the same</summary>
{{ table("The same metrics", page.same_metrics, page.metric_numbers) }}</details>
{% endif %}
{% endblock %}
"""

EXPERIMENT = """{% extends "base" %}
{% from "macros" import table %}
{% block content %}
<header>
<p class="soft">{{ page.what }}</p>
<h1>{{ page.headline }}</h1>
{% for text in page.conclusions %}<p>{{ text|codes }}</p>{% endfor %}
</header>
{% for text in page.doubts %}<p class="warn">{{ text|codes }}</p>{% endfor %}

<h2>All points</h2>
{{ table("All points", page.rows, page.numbers, sortable=true, ours=page.ours) }}
<p class="soft">{{ page.convention }}</p>

<h2>What they reach, and what they cost</h2>
<figure><img class="figure" src="{{ page.figure }}"
alt="PSNR of every point on the validation images over the CPU seconds of its training"></figure>

<h2>The whole report of what was chosen</h2>
<pre><code>{% for line in page.commands %}{{ line }}
{% endfor %}</code></pre>
<p class="soft">Its training comes from the cache.</p>
{% endblock %}
"""
