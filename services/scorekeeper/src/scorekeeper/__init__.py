"""The one owner of live quality, KPIs, the sink and the control page."""
