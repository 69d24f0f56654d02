package main

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// print writes the table, and returns errLimits when a limit was not kept.
func (r results) print(out io.Writer, o options) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tper second\tmedian ms\tp99 ms\tcalls\t")
	row := func(name string, s series) {
		if len(s.took) > 0 {
			fmt.Fprintf(w, "%s\t%.0f\t%s\t%s\t%d\t\n", name, s.rate(), ms(s.at(0.5)), ms(s.at(0.99)), len(s.took))
		}
	}
	row(fmt.Sprintf("create, %d clients", o.writers), r.create)
	row(fmt.Sprintf("GET among %d, %d clients", o.objects, o.readers), r.get)
	row("GET beside a writer", r.getBeside)
	row(fmt.Sprintf("list %d among %d", o.listed, o.listed), r.few)
	row(fmt.Sprintf("list %d among %d", o.listed, o.objects), r.many)
	ratio := r.many.at(0.5).Seconds() / r.few.at(0.5).Seconds()
	err := errors.Join(w.Flush(), limits(r, o, ratio))
	_, failed := fmt.Fprintf(out, "list by tenant among %d to among %d: %.2f (%d bytes each)\n", o.objects, o.listed, ratio, r.bytes)
	return errors.Join(failed, err)
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f", float64(d.Microseconds())/1000) }

func limits(r results, o options, ratio float64) error {
	var errs []error
	if o.maxRatio > 0 && ratio > o.maxRatio {
		errs = append(errs, fmt.Errorf("the ratio of lists is %.2f, more than %.2f: %w", ratio, o.maxRatio, errLimits))
	}
	if p99 := r.get.at(0.99); o.maxGetP99 > 0 && p99 > o.maxGetP99 {
		errs = append(errs, fmt.Errorf("the 99th percentile of GET is %s, more than %s: %w", p99, o.maxGetP99, errLimits))
	}
	return errors.Join(errs...)
}
