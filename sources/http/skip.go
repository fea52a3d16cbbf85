package http

import "fmt"

// maxDepth is how deep the members that are skipped may be nested.
const maxDepth = 1000

// skip goes behind a value of any form.
func (d *decoder) skip() error {
	d.open = d.open[:0]
	for {
		if err := d.skipOne(); err != nil {
			return err
		}
		if done, err := d.skipEnds(); done || err != nil {
			return err
		}
	}
}

// skipOne goes behind a scalar, or behind all brackets with which a value begins
// and the first scalar in them.
func (d *decoder) skipOne() error {
	for {
		c, err := d.next()
		if err != nil {
			return err
		}
		switch c {
		case '[':
			d.pos++
			if err := d.push(']'); err != nil {
				return err
			}
			if c, err = d.next(); c == ']' || err != nil {
				return err
			}
		case '{':
			d.pos++
			if err := d.push('}'); err != nil {
				return err
			}
			if c, err = d.next(); c == '}' || err != nil {
				return err
			}
			if err := d.skipName(true); err != nil {
				return err
			}
		case ']':
			// Only behind a comma: nothing is null in an array.
			if inArray := len(d.open) > 0 && d.open[len(d.open)-1] == ']'; !inArray {
				return d.fail("a value is expected")
			}
			return nil
		default:
			_, _, err := d.scalar(len(d.open) > 0 && d.open[len(d.open)-1] == ']')
			return err
		}
	}
}

func (d *decoder) push(closing byte) error {
	if len(d.open) == maxDepth {
		return d.fail(fmt.Sprintf("more than %d levels", maxDepth))
	}
	d.open = append(d.open, closing)
	return nil
}

func (d *decoder) skipName(first bool) error {
	if _, _, err := d.name(first); err != nil {
		return err
	}
	return d.colon()
}

// skipEnds goes to the next value of the innermost bracket that is not closed
// here; it reports whether all are.
func (d *decoder) skipEnds() (done bool, err error) {
	for len(d.open) > 0 {
		c, err := d.next()
		closing := d.open[len(d.open)-1]
		switch {
		case err != nil:
			return false, err
		case c == closing:
			d.pos++
			d.open = d.open[:len(d.open)-1]
		case closing == '}':
			return false, d.skipName(false)
		case c == ',' || c == ';':
			d.pos++
			return false, nil
		default:
			return false, d.fail("unterminated array")
		}
	}
	return true, nil
}
