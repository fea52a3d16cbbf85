package monitor

import (
	"encoding/binary"
	"errors"
	"strconv"
	"strings"
)

// What every metric says of itself to Ganglia, as Flume's do.
const (
	gangliaPrefix = "flume."
	gangliaUnits  = ""
	gangliaSlope  = 3 // "both": goes up and down
	gangliaTMax   = 60
	gangliaDMax   = 0
)

// maxPacket is the most that Ganglia's daemons read.
const maxPacket = 1500

// Kinds of packets of Ganglia 3.1.
const (
	metadataFull = 128
	valueString  = 133
)

// xdr appends values in the external data representation: integers of four bytes,
// big-endian, and strings padded to a multiple of four.
type xdr []byte

func (x xdr) int(i int32) xdr { return binary.BigEndian.AppendUint32(x, uint32(i)) }

func (x xdr) string(s string) xdr {
	x = append(x.int(int32(len(s))), s...)
	for n := len(s); n%4 != 0; n++ {
		x = append(x, 0)
	}
	return x
}

// ganglia30 returns the one packet of a metric for Ganglia before 3.1.
func ganglia30(host, name, value string) []byte {
	return xdr(nil).int(0).
		string(gangliaType(value)).string(host + "." + name).string(value).string(gangliaUnits).
		int(gangliaSlope).int(gangliaTMax).int(gangliaDMax)
}

// ganglia31 returns the two packets of a metric for Ganglia 3.1 and later: what
// it is, and its value.
func ganglia31(host, name, value string) (metadata, reading []byte) {
	metadata = xdr(nil).int(metadataFull).string(host).string(name).int(0).
		string(gangliaType(value)).string(name).string(gangliaUnits).
		int(gangliaSlope).int(gangliaTMax).int(gangliaDMax).
		int(1).string("GROUP").string("flume")
	reading = xdr(nil).int(valueString).string(host).string(name).int(0).
		string("%s").string(value)
	return metadata, reading
}

// gangliaType is "float" for what Java reads as one, else "string".
func gangliaType(value string) string {
	v := strings.TrimLeft(strings.TrimSpace(value), "+-")
	if v == "NaN" || v == "Infinity" {
		return "float"
	}
	v = strings.TrimRight(v, "fFdD")
	if v == "" || !strings.ContainsRune(".0123456789", rune(v[0])) {
		return "string"
	}
	// Out of range is infinite for Java, and a float.
	if _, err := strconv.ParseFloat(v, 32); err != nil && !errors.Is(err, strconv.ErrRange) {
		return "string"
	}
	return "float"
}
