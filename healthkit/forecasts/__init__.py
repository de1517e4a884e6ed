"""healthkit.forecasts"""
