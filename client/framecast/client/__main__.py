"""`python -m framecast.client` is the `framecast` command."""

from framecast.client.cli import main

if __name__ == "__main__":
    main()
