"""Function packages for Lambda.

`python -m infra.build FUNCTION --artifacts FOLDER` fills a folder with one function of
template.yaml: its handler, the parts of Warmer that it needs, and wheels for exactly the Python,
architecture and C library that it will run on. `infra/build/Makefile` calls it for `sam build`.

    processes     the processes above this one
    sam_command   what `sam build` was asked: template and parameter overrides
    template      properties of a function, with parameters resolved
    target        the Python, architecture and glibc to build for
    contents      what each function ships
    bundles       models' bundles, for this architecture or another
    pruning       what wheels carry but a function never uses
    wheels        third-party wheels, installed once per target and kept
    deferral      one module's source, with imports put off until they are used
    lazy_imports  which imports of numpy and Powertools are put off, proven by runs before and after
    signatures    numpy's signatures, made when `inspect` is imported
    bytecode      modules compiled ahead, where the target's Python is at hand
    layer         the wheel of Warmer, and a Lambda layer of it
    assembly      the package as a whole: copied, stamped, measured
"""
