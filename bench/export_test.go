package bench

// Hide keeps entities of the private data set from the oracle.
func (o *Options) Hide(hide func(i int) bool) { o.hide = hide }
