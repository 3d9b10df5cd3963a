// Package sqlkit is what SQL connectors share: settings, tables, read plans, key texts, places of a scan, the horizon
// of the timestamp tracker, times as text and the grouping of writes. It knows no connector and opens no connection.
package sqlkit
