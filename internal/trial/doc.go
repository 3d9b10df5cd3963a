// Package trial holds tests only: whole jobs on real data, through the house as commands use it, judged by SQL and
// readers that are not ours.
package trial
