"""Live quality, KPIs, records at rest, and the page that shows them."""
