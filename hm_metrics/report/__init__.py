"""From any number of result folders to one report: leaderboard, comparisons, figures, a page.

hm-report OUT --output_path REPORT
"""
