package mykit

import (
	"context"
	"crypto/x509"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/lockstep-sync/lockstep"
)

// numbers are the faults of the server's error numbers.
var numbers = map[uint16]lockstep.Code{
	1062: lockstep.CodeUnique, 1022: lockstep.CodeUnique, 1169: lockstep.CodeUnique, 1586: lockstep.CodeUnique, 1761: lockstep.CodeUnique, 1762: lockstep.CodeUnique,
	1452: lockstep.CodeReference, 1216: lockstep.CodeReference, 1451: lockstep.CodeReference, 1217: lockstep.CodeReference,
	1048: lockstep.CodeConstraint, 1364: lockstep.CodeConstraint, 1263: lockstep.CodeConstraint,
	4025: lockstep.CodeConstraint, 3819: lockstep.CodeConstraint, 1644: lockstep.CodeConstraint, 1369: lockstep.CodeConstraint, 1526: lockstep.CodeConstraint,
	1264: lockstep.CodeValue, 1265: lockstep.CodeValue, 1292: lockstep.CodeValue, 1366: lockstep.CodeValue, 1367: lockstep.CodeValue, 1406: lockstep.CodeValue,
	1411: lockstep.CodeValue, 1416: lockstep.CodeValue, 1690: lockstep.CodeValue, 1300: lockstep.CodeValue, 3140: lockstep.CodeValue, 3141: lockstep.CodeValue,
	3156: lockstep.CodeValue, 1977: lockstep.CodeValue, 4079: lockstep.CodeValue, 1105: lockstep.CodeUnclassified,
	1153: lockstep.CodeTooLarge, 1301: lockstep.CodeTooLarge, 1118: lockstep.CodeTooLarge,
	1213: lockstep.CodeDeadlock, 1205: lockstep.CodeDeadlock, 1020: lockstep.CodeDeadlock, 1614: lockstep.CodeDeadlock, 1412: lockstep.CodeDeadlock, 3572: lockstep.CodeDeadlock,
	1317: lockstep.CodeTimeout, 1969: lockstep.CodeTimeout, 3024: lockstep.CodeTimeout,
	1040: lockstep.CodeUnavailable, 1203: lockstep.CodeUnavailable, 1226: lockstep.CodeThrottled, 1053: lockstep.CodeUnavailable, 1077: lockstep.CodeUnavailable,
	1021: lockstep.CodeUnavailable, 1037: lockstep.CodeUnavailable, 1038: lockstep.CodeUnavailable, 1041: lockstep.CodeUnavailable, 1114: lockstep.CodeUnavailable,
	1180: lockstep.CodeUnavailable, 1047: lockstep.CodeUnavailable, 1129: lockstep.CodeUnavailable,
	1158: lockstep.CodeNetwork, 1159: lockstep.CodeNetwork, 1160: lockstep.CodeNetwork, 1161: lockstep.CodeNetwork, 1927: lockstep.CodeNetwork, 4031: lockstep.CodeNetwork,
	1045: lockstep.CodeLogin, 1251: lockstep.CodeLogin, 1698: lockstep.CodeLogin, 1820: lockstep.CodeLogin, 1862: lockstep.CodeLogin, 3118: lockstep.CodeLogin, 4151: lockstep.CodeLogin,
	1044: lockstep.CodeRights, 1142: lockstep.CodeRights, 1143: lockstep.CodeRights, 1227: lockstep.CodeRights, 1130: lockstep.CodeRights, 1290: lockstep.CodeRights,
	1836: lockstep.CodeRights, 1792: lockstep.CodeRights, 1370: lockstep.CodeRights, 1419: lockstep.CodeRights, 1665: lockstep.CodeRights,
	1049: lockstep.CodeUnavailable, 1146: lockstep.CodeNoStream, 1051: lockstep.CodeNoStream, 1054: lockstep.CodeNoField, 1906: lockstep.CodeNoField, 3105: lockstep.CodeNoField,
	1267: lockstep.CodeValue, 1270: lockstep.CodeValue, 1271: lockstep.CodeValue, 1235: lockstep.CodeCannot, 1031: lockstep.CodeCannot, 1288: lockstep.CodeCannot, 1036: lockstep.CodeCannot,
}

// states are the faults of classes of SQLSTATE, for numbers that are not listed.
var states = map[string]lockstep.Code{
	"08": lockstep.CodeNetwork, "22": lockstep.CodeValue, "23": lockstep.CodeConstraint, "28": lockstep.CodeLogin, "40": lockstep.CodeDeadlock, "0A": lockstep.CodeCannot,
	"70": lockstep.CodeTimeout,
}

// words are what we say instead of the server's message where that shows values, as most do: "Duplicate entry 'x' for
// key", "Incorrect integer value: 'x'" (law 12). The column and the row's number stay.
var words = map[lockstep.Code]string{
	lockstep.CodeUnique:     "a value is there already that must be unique",
	lockstep.CodeValue:      "a value does not fit the column",
	lockstep.CodeConstraint: "a constraint does not hold",
}

// Fault classifies an error of a statement.
func Fault(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*lockstep.Fault](err); ok {
		return err
	}
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return numberFault(e)
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return lockstep.Faultf(lockstep.CodeTimeout, "the statement did not end in time")
	case errors.Is(err, context.Canceled):
		return lockstep.NewFault(lockstep.CodeTimeout, context.Canceled)
	case errors.Is(err, mysql.ErrPktTooLarge):
		return lockstep.Faultf(lockstep.CodeTooLarge, "the statement is longer than the server's max_allowed_packet")
	case isNetwork(err):
		return lockstep.Faultf(lockstep.CodeNetwork, "the connection to the database broke")
	}
	return lockstep.Faultf(lockstep.CodeUnclassified, "%w", errors.New(hideQuoted(firstLine(err))))
}

func numberFault(e *mysql.MySQLError) *lockstep.Fault {
	code, ok := numbers[e.Number]
	if !ok {
		code, ok = states[string(e.SQLState[:2])]
	}
	if !ok {
		code = lockstep.CodeUnclassified
	}
	message := e.Message
	switch code {
	case lockstep.CodeUnique:
		message = words[code] + uniqueKey(e.Message)
	case lockstep.CodeValue, lockstep.CodeConstraint:
		message = told(e, code)
	case lockstep.CodeUnclassified, lockstep.CodeTimeout:
		message = hideQuoted(message)
	}
	f := lockstep.Faultf(code, "mysql %d: %s", e.Number, message)
	return f.On(lockstep.About{Field: columnNamed(e.Message)})
}

// uniqueKey is the index that "Duplicate entry 'x' for key 'sku'" names.
func uniqueKey(message string) string {
	if i := strings.LastIndex(message, " for key "); i >= 0 {
		return " (key " + strings.Trim(message[i+len(" for key "):], "'`") + ")"
	}
	return ""
}

// told is a message without values: what the server says of columns and constraints, or our own words.
func told(e *mysql.MySQLError, code lockstep.Code) string {
	switch e.Number {
	case 1048, 1364, 1264, 1265, 1406, 4025, 3819, 1263, 1416: // these name columns and constraints only
		return e.Message
	case 1644:
		return "the database refused the write by a rule of its own"
	case 1267, 1270, 1271:
		return "the text has letters that the column's character set has not"
	}
	return words[code]
}

// columnNamed is the column that a message names: "… for column 'price' at row 1", or with its table in front,
// "`shop`.`products`.`price`".
func columnNamed(message string) string {
	lower := strings.ToLower(message)
	i := strings.LastIndex(lower, "column '")
	if i >= 0 {
		name, _, _ := strings.Cut(message[i+len("column '"):], "'")
		return name
	}
	if i = strings.LastIndex(lower, "column `"); i >= 0 {
		name, _, _ := strings.Cut(message[i+len("column `"):], " at row")
		parts := strings.Split(name, "`.`")
		return strings.Trim(parts[len(parts)-1], "`")
	}
	return ""
}

// hideQuoted takes everything between the first and the last quote out of a message.
func hideQuoted(s string) string {
	first, last := strings.IndexAny(s, "'\""), strings.LastIndexAny(s, "'\"")
	if first < 0 {
		return s
	}
	return s[:first] + "'…'" + s[last+1:]
}

// ConnectFault classifies an error of connecting.
func ConnectFault(err error) error {
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return numberFault(e)
	}
	switch {
	case errors.Is(err, context.Canceled):
		return lockstep.NewFault(lockstep.CodeTimeout, context.Canceled)
	case errors.Is(err, context.DeadlineExceeded):
		return lockstep.Faultf(lockstep.CodeUnavailable, "the database does not answer in time")
	case errors.Is(err, mysql.ErrNoTLS):
		return lockstep.Faultf(lockstep.CodeConfig, "the server offers no TLS, and the dsn asks for it")
	case errors.Is(err, mysql.ErrNativePassword), errors.Is(err, mysql.ErrOldPassword), errors.Is(err, mysql.ErrCleartextPassword):
		return lockstep.Faultf(lockstep.CodeLogin, "the server asks for a kind of password that the dsn does not allow")
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return lockstep.Faultf(lockstep.CodeConfig, "the server's certificate is signed by nobody that this machine knows")
	}
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Err != nil {
		return lockstep.Faultf(lockstep.CodeUnavailable, "cannot connect to the database: %w", e.Err)
	}
	return lockstep.Faultf(lockstep.CodeUnavailable, "cannot connect to the database")
}

func isNetwork(err error) bool {
	_, isNet := errors.AsType[net.Error](err)
	return isNet || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, driver.ErrBadConn) ||
		errors.Is(err, mysql.ErrInvalidConn) || errors.Is(err, mysql.ErrBusyBuffer) || errors.Is(err, mysql.ErrPktSync) || errors.Is(err, mysql.ErrPktSyncMul)
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// About adds the stream to a fault.
func About(err error, stream string) error {
	if err == nil {
		return nil
	}
	return lockstep.FaultOf(Fault(err)).On(lockstep.About{Stream: stream})
}

// Answered tells whether the server itself refused a statement, and lives on: then its transaction is certainly gone.
// A connection that died, a server that is ending, or a commit that failed half-way leave open what became of it.
func Answered(err error) bool {
	e, ok := errors.AsType[*mysql.MySQLError](err)
	if !ok {
		return false
	}
	switch e.Number {
	case 1053, 1180, 1317, 1927, 1105, 1030, 3024, 1969:
		return false
	}
	return true
}

// IsNumber tells whether an error is one of the server's of these numbers.
func IsNumber(err error, numbers ...uint16) bool {
	e, ok := errors.AsType[*mysql.MySQLError](err)
	if !ok {
		return false
	}
	for _, n := range numbers {
		if e.Number == n {
			return true
		}
	}
	return false
}

// Incomparable tells that a text has letters that the character set of a key column has not: it names no record.
func Incomparable(err error) bool { return IsNumber(err, 1267, 1270, 1271) }
