"""What the business and its people look at: KPIs, live quality, structured records at rest."""
