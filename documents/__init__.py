"""Invoices, credit notes and quotes as pages: HTML and PDF, in Japanese and English. It imports the domain only."""
