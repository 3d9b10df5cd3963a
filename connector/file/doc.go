// Package file is the connector for a folder of CSV and JSON Lines files.
//
// As a source it is read whole (track by snapshot). A row that is wrong is a fault of its own and its neighbours go
// on; a file that cannot be parsed, or that changes under a scan, ends the scan with one fault.
//
// As a target it keeps one file for each stream. A file cannot be updated in place, so writes are first appended to a
// journal beside it (products.csv.journal, JSON Lines) and synced; that is the moment they are done. The journal is
// folded into the file when it grows large, before a scan begins, and when the system is closed: the new file is
// written to a temporary name in the same folder, synced, and renamed over the old one. A manifest beside it
// (products.csv.manifest.json) says how many rows and bytes the file has and their SHA-256. A crash at any moment
// leaves the old file or the new one, and the journal with all that was acknowledged; folding it twice leaves what
// folding it once left.
package file
