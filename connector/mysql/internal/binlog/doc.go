// Package binlog follows one table of a MariaDB or a MySQL by the server's binary log: it asks for the log as a replica
// does, passes over what other tables wrote, and makes changes of the row events of its own. What it cannot decode
// with certainty becomes a hint, and what may have been missed is lost: never wrong data, never a gap in silence.
//
// What a value is to the house is the connector's to say (Shape); this package gives it cells, as a SELECT in a
// session of utf8mb4 and UTC would.
package binlog
