"""From YUV planes to bytes on the wire.

`planes` holds the pictures, `view` looks at parts of them, `colour` converts them. `codecs` names the encodings,
`encoder` turns planes into chunks; `movie` and `stills` are its two ways to do so. `boxes`, `fragments` and `mime`
read and rewrite the MP4.
"""
