# The mean of one column of a CSV file, as JSON: awk -f mean.awk -v column=NAME FILE
BEGIN { FS = "," }
NR == 1 { for (i = 1; i <= NF; i++) if ($i == column) place = i; next }
$place !~ /^[0-9.]+$/ { print "line " NR " has no number: " $place > "/dev/stderr"; broken = 1; exit 1 }
{ total += $place; count++ }
END { if (!broken) printf "{\"readings\": %d, \"mean\": %.2f}\n", count, total / count }
