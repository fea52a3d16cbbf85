package lines

import (
	"bytes"
	"fmt"
)

// Verifier reads a program's output and notes which lines are in it. It takes
// the output in pieces of any size, cut anywhere, and needs one bit of memory
// for each line expected. It is not safe for concurrent use.
//
// Lines of different connections may be mixed in any way as long as each line
// is whole. Order within a connection is counted, not demanded.
type Verifier struct {
	format  Format
	conns   []arrivals
	partial []byte
	verdict Verdict
}

// arrivals are the lines of one connection seen so far.
type arrivals struct {
	seen  []uint64 // one bit for each line expected
	count int      // lines expected
	last  int      // number of the line seen last
}

// NewVerifier expects counts[i] lines of connection i.
func (f Format) NewVerifier(counts []int) *Verifier {
	v := &Verifier{format: f, conns: make([]arrivals, len(counts))}
	for i, count := range counts {
		v.conns[i] = arrivals{seen: make([]uint64, (count+63)/64), count: count, last: -1}
		v.verdict.Expected += count
	}
	return v
}

// Write takes the next piece of output. It never fails: what is wrong with the
// output stands in the verdict.
func (v *Verifier) Write(p []byte) (int, error) {
	size := len(p)
	v.verdict.Bytes += int64(size)
	if len(v.partial) > 0 {
		p = v.completePartial(p)
	}
	for {
		end := bytes.IndexByte(p, '\n')
		if end < 0 {
			break
		}
		v.line(p[:end+1])
		p = p[end+1:]
	}
	v.keepPartial(p)
	return size, nil
}

// completePartial finishes the line that the last piece broke off in, and
// returns what follows it.
func (v *Verifier) completePartial(p []byte) []byte {
	end := bytes.IndexByte(p, '\n')
	if end < 0 {
		v.keepPartial(p)
		return nil
	}
	v.keepPartial(p[:end+1])
	v.line(v.partial)
	v.partial = v.partial[:0]
	return p[end+1:]
}

// keepPartial remembers the start of a line. Output without any newline must
// not fill memory: a line already too long is wrong however it goes on, so no
// more of it is kept than shows that.
func (v *Verifier) keepPartial(p []byte) {
	room := v.format.length + 1 - len(v.partial)
	v.partial = append(v.partial, p[:max(0, min(len(p), room))]...)
}

// line judges one line, newline included.
func (v *Verifier) line(line []byte) {
	v.verdict.Lines++
	conn, number, ok := v.parse(line)
	if !ok {
		v.damaged(line)
		return
	}
	a := &v.conns[conn]
	word, bit := number/64, uint64(1)<<(number%64)
	if a.seen[word]&bit != 0 {
		v.verdict.Duplicated++
		return
	}
	a.seen[word] |= bit
	v.verdict.Distinct++
	if number < a.last {
		v.verdict.Reordered++
	}
	a.last = number
}

// parse returns the connection and the number of a line, or false when it is
// not one that was sent.
func (v *Verifier) parse(line []byte) (conn, number int, ok bool) {
	f := v.format
	if len(line) != f.length || line[f.length-1] != '\n' || string(line[:len(f.form.kept)]) != f.form.kept {
		return 0, 0, false
	}
	line = line[len(f.form.kept):]
	if line[blockAt-1] != ' ' || line[indexAt-1] != ' ' || line[payloadAt-1] != ' ' {
		return 0, 0, false
	}
	c, okConn := readHex(line[connAt : connAt+2])
	block, okBlock := readHex(line[blockAt : blockAt+8])
	index, okIndex := readHex(line[indexAt : indexAt+4])
	if !okConn || !okBlock || !okIndex || int(c) >= len(v.conns) || int(index) >= f.perBlock {
		return 0, 0, false
	}
	at := int64(block)*int64(f.perBlock) + int64(index)
	if at >= int64(v.conns[c].count) {
		return 0, 0, false
	}
	return int(c), int(at), string(line[payloadAt:len(line)-1]) == f.payload(int(index))
}

func (v *Verifier) damaged(line []byte) {
	v.verdict.Damaged++
	if v.verdict.Example == "" {
		// No more than what keepPartial surely kept, so that it does not
		// depend on how the output was cut.
		v.verdict.Example = string(line[:min(len(line), MinLength)])
	}
}

// Verdict closes the account of everything written so far. A last line without
// its newline counts as damaged.
func (v *Verifier) Verdict() Verdict {
	if len(v.partial) > 0 {
		v.line(v.partial)
		v.partial = v.partial[:0]
	}
	return v.verdict
}

// Verdict says what a program's output holds of what it was sent.
type Verdict struct {
	Expected   int    // lines sent
	Lines      int    // lines found, good or not
	Distinct   int    // different lines found that were sent
	Duplicated int    // lines found again
	Damaged    int    // lines found that were never sent
	Reordered  int    // lines found after a later one of their connection
	Bytes      int64  // size of the output
	Example    string // start of the first damaged line
}

// Missing is the number of lines sent and not found.
func (v Verdict) Missing() int { return v.Expected - v.Distinct }

// Err is nil when every line is there once and nothing else is.
func (v Verdict) Err() error {
	if v.Missing() == 0 && v.Duplicated == 0 && v.Damaged == 0 {
		return nil
	}
	err := fmt.Errorf("output does not hold what was sent: of %d lines %d are missing, %d are there more than once, and %d lines were never sent",
		v.Expected, v.Missing(), v.Duplicated, v.Damaged)
	if v.Example != "" {
		err = fmt.Errorf("%w (the first of these begins %q)", err, v.Example)
	}
	return err
}
