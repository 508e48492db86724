# The image holds the program and the certificates that browsers trust, and nothing else: no shell, no libraries.
# `make image` prepares the folder that this is built in.
FROM scratch
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY image-gitops /image-gitops
USER 65532:65532
EXPOSE 8080 9090
ENTRYPOINT ["/image-gitops"]
CMD ["serve"]
