"""What a conversion found: report.json and the page."""
